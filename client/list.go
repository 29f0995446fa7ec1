package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
)

// RevocationSource is one place that revocation evidence comes from: a list, which is one
// partition of one issuer's key, many of them, or an OCSP responder.
type RevocationSource struct {
	Name            string           `json:"name,omitempty"`
	Method          RevocationMethod `json:"method,omitzero"`
	State           SourceState      `json:"state,omitzero"`
	Issuer          string           `json:"issuer,omitempty"`
	IssuerKeyID     string           `json:"issuerKeyId,omitempty"`
	Partition       string           `json:"partition,omitempty"` // empty where it covers the whole issuer
	CRLNumber       string           `json:"crlNumber,omitempty"`
	ThisUpdate      time.Time        `json:"thisUpdate,omitzero"`
	NextUpdate      time.Time        `json:"nextUpdate,omitzero"`
	Age             time.Duration    `json:"-"`
	Entries         int64            `json:"entries,string,omitempty"` // a string, as 64-bit integers are in the API's JSON
	LastFetchTime   time.Time        `json:"lastFetchTime,omitzero"`
	LastFailureTime time.Time        `json:"lastFailureTime,omitzero"`
	LastFailure     string           `json:"lastFailure,omitempty"` // an id of a closed set
	Required        bool             `json:"required,omitempty"`    // the server is not ready without it
	// Refused is the list that the source gives and that the server does not let into service; nil if there is none.
	Refused *RefusedList `json:"refused,omitempty"`

	PartOf       string          `json:"partOf,omitempty"`      // the manifest or drop directory that it is a partition of
	Partitions   PartitionCounts `json:"partitions,omitzero"`   // of a manifest or drop directory; of a list, itself
	OldestUpdate time.Time       `json:"oldestUpdate,omitzero"` // earliest thisUpdate of its lists
	NextExpected time.Time       `json:"nextExpected,omitzero"` // earliest nextUpdate of its lists
}

// PartitionCounts are the partitions of a source by state, and those of any state whose last fetch failed.
type PartitionCounts struct {
	Fresh   int32 `json:"fresh,omitempty"`
	Stale   int32 `json:"stale,omitempty"`
	Missing int32 `json:"missing,omitempty"`
	Failing int32 `json:"failing,omitempty"`
}

// RefusedList is a list that was not let into service. The last good one serves on.
type RefusedList struct {
	Time       time.Time `json:"time,omitzero"`
	Reasons    []string  `json:"reasons,omitempty"`   // ids, as in Reason
	CRLNumber  string    `json:"crlNumber,omitempty"` // what the list says of itself, here and below
	ThisUpdate time.Time `json:"thisUpdate,omitzero"`
	Entries    int64     `json:"entries,string,omitempty"`
	Digest     string    `json:"digest,omitempty"` // by which an operator lets it through
}

// MarshalJSON adds the age in the API's notation.
func (s RevocationSource) MarshalJSON() ([]byte, error) {
	type plain RevocationSource
	return json.Marshal(struct {
		plain
		Age seconds `json:"age,omitzero"`
	}{plain(s), seconds(s.Age)})
}

// ListSources iterates over all revocation sources, ordered by name, fetching page by page
// within the one deadline of the context. An error is the last thing it yields.
func (c *Client) ListSources(ctx context.Context) iter.Seq2[RevocationSource, error] {
	return pages(func(token string) ([]RevocationSource, string, error) {
		r, err := repeatable(ctx, c, c.revocation.ListSources, &tashikav1.ListSourcesRequest{PageSize: pageSize, PageToken: token})
		return each(r.GetSources(), newRevocationSource), r.GetNextPageToken(), err
	})
}

func newRevocationSource(s *tashikav1.RevocationSource) RevocationSource {
	return RevocationSource{
		Name:            s.GetName(),
		Method:          enum[RevocationMethod](s.GetMethod()),
		State:           enum[SourceState](s.GetState()),
		Issuer:          s.GetIssuer(),
		IssuerKeyID:     s.GetIssuerKeyId(),
		Partition:       s.GetPartition(),
		CRLNumber:       s.GetCrlNumber(),
		ThisUpdate:      at(s.GetThisUpdate()),
		NextUpdate:      at(s.GetNextUpdate()),
		Age:             span(s.GetAge()),
		Entries:         s.GetEntries(),
		LastFetchTime:   at(s.GetLastFetchTime()),
		LastFailureTime: at(s.GetLastFailureTime()),
		LastFailure:     s.GetLastFailure(),
		Required:        s.GetRequired(),
		Refused:         newRefusedList(s.GetRefused()),
		PartOf:          s.GetPartOf(),
		Partitions: PartitionCounts{s.GetPartitions().GetFresh(), s.GetPartitions().GetStale(), s.GetPartitions().GetMissing(),
			s.GetPartitions().GetFailing()},
		OldestUpdate: at(s.GetOldestUpdate()),
		NextExpected: at(s.GetNextExpected()),
	}
}

func newRefusedList(r *tashikav1.RefusedList) *RefusedList {
	if r == nil {
		return nil
	}
	return &RefusedList{at(r.GetTime()), r.GetReasons(), r.GetCrlNumber(), at(r.GetThisUpdate()), r.GetEntries(), r.GetDigest()}
}

// Device is an entry of the list of supported handsets.
type Device struct {
	Name         string   `json:"name,omitempty"`
	Platform     Platform `json:"platform,omitzero"`
	Manufacturer string   `json:"manufacturer,omitempty"`
	Model        string   `json:"model,omitempty"`
	MinOSVersion string   `json:"minOsVersion,omitempty"`
	Source       string   `json:"source,omitempty"` // where the entry was taken from, with its date
	// List is the list that the entry stands in.
	List DeviceList `json:"-"`
}

// DeviceList says where a list comes from.
type DeviceList struct {
	Edition  string `json:"edition,omitempty"`
	Complete bool   `json:"complete,omitempty"` // said to be complete by whoever made it
}

// Handset is what CheckDevice looks up.
type Handset struct {
	Platform  Platform // 0 for any
	Model     string   // as the maker writes it, such as "Pixel 10 Pro"
	OSVersion string   // such as "18.5"; empty if not known
}

// DeviceCheck is what the list says of a handset.
type DeviceCheck struct {
	Support Support    `json:"support,omitzero"`
	Device  *Device    `json:"device,omitempty"` // the entry that decided, if any
	Text    Text       `json:"text,omitzero"`
	List    DeviceList `json:"list,omitzero"`
}

// CheckDevice looks one handset up.
func (c *Client) CheckDevice(ctx context.Context, h Handset) (*DeviceCheck, error) {
	r, err := repeatable(ctx, c, c.devices.CheckDevice, &tashikav1.CheckDeviceRequest{
		Platform: tashikav1.Platform(h.Platform), Model: h.Model, OsVersion: h.OSVersion})
	if err != nil {
		return nil, err
	}
	check := &DeviceCheck{Support: enum[Support](r.GetSupport()), Text: newText(r.GetText()), List: newDeviceList(r.GetList())}
	if r.GetDevice() != nil {
		device := newDevice(r.GetDevice(), check.List)
		check.Device = &device
	}
	return check, nil
}

// ListDevices iterates over the list, ordered by name; otherwise it is as ListSources.
func (c *Client) ListDevices(ctx context.Context) iter.Seq2[Device, error] {
	return pages(func(token string) ([]Device, string, error) {
		r, err := repeatable(ctx, c, c.devices.ListDevices, &tashikav1.ListDevicesRequest{PageSize: pageSize, PageToken: token})
		list := newDeviceList(r.GetList())
		return each(r.GetDevices(), func(d *tashikav1.Device) Device { return newDevice(d, list) }), r.GetNextPageToken(), err
	})
}

func newDevice(d *tashikav1.Device, list DeviceList) Device {
	return Device{d.GetName(), enum[Platform](d.GetPlatform()), d.GetManufacturer(), d.GetModel(), d.GetMinOsVersion(), d.GetSource(), list}
}

func newDeviceList(l *tashikav1.DeviceListInfo) DeviceList {
	return DeviceList{l.GetEdition(), l.GetComplete()}
}

// pageSize is the greatest that the API allows: 1,741 municipalities are a few calls.
const pageSize = 1000

// pages yields what fetch returns, page after page, until there is no next token.
func pages[T any](fetch func(token string) (page []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for token := ""; ; {
			page, next, err := fetch(token)
			if err != nil {
				yield(none, err)
				return
			}
			for _, entry := range page {
				if !yield(entry, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			if next == token { // it would go on until the deadline
				yield(none, errors.New("client: the server gave the same page token twice"))
				return
			}
			token = next
		}
	}
}
