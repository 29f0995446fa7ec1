package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/tashika-jp/tashika/certs/profile"
	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"github.com/tashika-jp/tashika/server/device"
	"github.com/tashika-jp/tashika/server/revocation"
	"google.golang.org/protobuf/types/known/durationpb"
)

// ListSources tells what is known of revocation.
func (h *handlers) ListSources(ctx context.Context, r *tashikav1.ListSourcesRequest) (*tashikav1.ListSourcesResponse, error) {
	now := callOf(ctx).state.config.Clock()
	all := h.server.evidence.Sources() // ordered by name
	start, end, next, err := page(len(all), func(i int) string { return all[i].Name }, r)
	if err != nil {
		return nil, err
	}
	out := &tashikav1.ListSourcesResponse{NextPageToken: next, TotalSize: int32(len(all))}
	for _, s := range all[start:end] {
		view := &tashikav1.RevocationSource{
			Name: s.Name, Method: methodViews[s.Method], State: sourceStates[s.State], Issuer: s.Issuer, IssuerKeyId: s.IssuerKeyID,
			Partition: s.Partition, CrlNumber: s.Number, ThisUpdate: at(s.ThisUpdate), NextUpdate: at(s.NextUpdate),
			Entries: int64(s.Entries), LastFetchTime: at(s.LastFetch), LastFailureTime: at(s.LastFailure),
			LastFailure: string(s.Failure), Required: s.Required, PartOf: s.PartOf, OldestUpdate: at(s.OldestUpdate), NextExpected: at(s.NextExpected),
		}
		if s.Method == profile.CRL {
			view.Partitions = &tashikav1.PartitionCounts{Fresh: int32(s.Partitions[revocation.Fresh]), Stale: int32(s.Partitions[revocation.Stale]),
				Missing: int32(s.Partitions[revocation.Missing]), Failing: int32(s.Failing)}
		}
		if r := s.Refused; r != nil {
			view.Refused = &tashikav1.RefusedList{Time: at(r.Time), CrlNumber: r.Number, ThisUpdate: at(r.ThisUpdate), Entries: int64(r.Entries), Digest: r.Digest}
			for _, id := range r.Reasons {
				view.Refused.Reasons = append(view.Refused.Reasons, string(id))
			}
		}
		if view.ThisUpdate != nil {
			view.Age = durationpb.New(now.Sub(s.ThisUpdate))
		}
		out.Sources = append(out.Sources, view)
	}
	return out, nil
}

// CheckDevice looks a handset up.
func (h *handlers) CheckDevice(ctx context.Context, r *tashikav1.CheckDeviceRequest) (*tashikav1.CheckDeviceResponse, error) {
	list := callOf(ctx).state.devices
	support, entry := list.Check(platforms[r.GetPlatform()], r.GetModel(), r.GetOsVersion())
	ja, en := list.Text(support, entry)
	out := &tashikav1.CheckDeviceResponse{Support: supports[support], Text: &tashikav1.LocalizedText{Ja: ja, En: en}, List: listInfo(list)}
	if entry != nil {
		out.Device = deviceView(entry)
	}
	return out, nil
}

// ListDevices lists the entries of the list.
func (h *handlers) ListDevices(ctx context.Context, r *tashikav1.ListDevicesRequest) (*tashikav1.ListDevicesResponse, error) {
	list := callOf(ctx).state.devices
	all := list.Entries() // ordered by name
	start, end, next, err := page(len(all), func(i int) string { return all[i].Name }, r)
	if err != nil {
		return nil, err
	}
	out := &tashikav1.ListDevicesResponse{NextPageToken: next, List: listInfo(list)}
	for i := range all[start:end] {
		out.Devices = append(out.Devices, deviceView(&all[start+i]))
	}
	return out, nil
}

func listInfo(l *device.List) *tashikav1.DeviceListInfo {
	return &tashikav1.DeviceListInfo{Edition: l.Edition(), Complete: l.Complete()}
}

func deviceView(e *device.Entry) *tashikav1.Device {
	return &tashikav1.Device{
		Name: e.Name, Platform: platformViews[e.Platform], Manufacturer: e.Manufacturer, Model: e.Model,
		MinOsVersion: e.MinOSVersion, Source: e.Source,
	}
}

const (
	defaultPageSize = 100
	// pageTokenSize is that of every token: the end of the page before, by number and by name.
	pageTokenSize = 4 + 16
)

// page finds what a request wants of n things that are ordered by name. The token knows the last thing
// of the page before by its name, so that what comes and goes meanwhile moves nothing; only if that
// thing itself has gone, its place is taken instead.
func page(n int, name func(int) string, r interface {
	GetPageSize() int32
	GetPageToken() string
}) (start, end int, next string, err error) {
	size := int(r.GetPageSize())
	or(&size, defaultPageSize)
	if token := r.GetPageToken(); token != "" {
		last, err := base64.RawURLEncoding.Strict().DecodeString(token)
		if err != nil || len(last) != pageTokenSize {
			return 0, 0, "", fail(pageTokenInvalid, violation{"page_token", "PAGE_TOKEN_INVALID", "Not a next_page_token of an earlier answer."})
		}
		start = int(min(binary.BigEndian.Uint32(last), uint32(n)))
		for i := range n {
			if i = (start + n - 1 + i) % n; bytes.Equal(nameHash(name(i)), last[4:]) {
				start = i + 1
				break
			}
		}
	}
	end = min(start+size, n)
	if end < n {
		next = base64.RawURLEncoding.EncodeToString(pageToken(end, name(end-1)))
	}
	return start, end, next, nil
}

func pageToken(end int, last string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(end)), nameHash(last)...)
}

func nameHash(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:pageTokenSize-4]
}
