package server

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers what we wrap
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// codec reads protobuf as gRPC does, but lets what cannot be read come through to the guard.
// gRPC itself would answer INTERNAL before anything of ours has run: no authentication, no
// log, no metrics, and the blame on the wrong side.
type codec struct{ encoding.CodecV2 }

// wire is the one codec.
var wire = codec{encoding.GetCodecV2("proto")}

// unreadable marks a message that could not be read. It is an unknown field, which is refused
// anyway: whoever sends it is told what is wrong only a little less exactly.
var unreadable = protowire.AppendVarint(protowire.AppendTag(nil, protowire.MaxValidNumber, protowire.VarintType), 1)

// frame is a message as it stands on the wire. Received as one, it can be left unread until the caller is known to be
// let in, and is then read beside others; sent as one, it was written beside others.
type frame struct{ data mem.BufferSlice }

func (f *frame) free() {
	f.data.Free()
	f.data = nil
}

// Marshal also takes a frame, which it gives away.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(*frame); ok {
		data := f.data
		f.data = nil
		return data, nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal never fails for a message.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if f, ok := v.(*frame); ok {
		data.Ref()
		f.data = data
		return nil
	}
	err := c.CodecV2.Unmarshal(data, v)
	m, ok := v.(proto.Message)
	if err == nil || !ok {
		return err
	}
	proto.Reset(m)
	m.ProtoReflect().SetUnknown(unreadable)
	return nil
}

// itemID reads the number of a stream's item, field 1, from its bytes, whatever else is in them.
func itemID(data []byte) (id uint64, err error) {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		data = data[n:]
		if number == 1 && kind == protowire.VarintType {
			id, n = protowire.ConsumeVarint(data)
		} else {
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		data = data[n:]
	}
	return id, nil
}
