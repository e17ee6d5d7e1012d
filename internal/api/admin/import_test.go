package admin

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	datapb "github.com/gatehouse/gatehouse/gen/zitadel/v1/v1"
)

// TestImportForgetsNoField: every field of an organization's data has its place.
func TestImportForgetsNoField(t *testing.T) {
	known := append(slices.Concat(importFields...), "org_id", "org")
	for _, m := range []proto.Message{&pb.DataOrg{}, &datapb.DataOrg{}} {
		fields := m.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			if f := fields.Get(i); !slices.Contains(known, f.Name()) {
				t.Errorf("an import leaves %s out", f.FullName())
			}
		}
	}
}
