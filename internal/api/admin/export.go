package admin

import (
	"context"
	"time"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
)

func (h *Handlers) exports() []api.RPC {
	return []api.RPC{api.Unary("ExportData", h.exportData)}
}

var (
	errExportFiles  = fault.Unimplemented("Exports to files and to object storage are not built. Ask for the data itself, by response_output.")
	errExportOutput = fault.Invalid("EXPORT-output", "Set response_output: an export is given in the answer.")
)

// exportData gives organizations as importData takes them.
func (h *Handlers) exportData(ctx context.Context, r *pb.ExportDataRequest) (*pb.ExportDataResponse, error) {
	switch {
	case r.GetLocalOutput() != nil || r.GetS3Output() != nil || r.GetGcsOutput() != nil:
		return nil, errExportFiles
	case !r.GetResponseOutput():
		return nil, errExportOutput
	}
	ctx, cancel, err := within(ctx, r.GetTimeout())
	if err != nil {
		return nil, err
	}
	defer cancel()
	orgs, err := flow.Export(ctx, h.store, h.vault, flow.ExportWish{
		Orgs: r.GetOrgIds(), Without: r.GetExcludedOrgIds(), Passwords: r.GetWithPasswords(), OTP: r.GetWithOtp(),
	})
	res := &pb.ExportDataResponse{}
	for _, o := range orgs {
		data, err := exported(ctx, o)
		if err != nil {
			return nil, err
		}
		res.Orgs = append(res.Orgs, data)
	}
	return res, err
}

// within bounds a call by a timeout that its request names; empty stands for none.
func within(ctx context.Context, timeout string) (context.Context, context.CancelFunc, error) {
	if timeout == "" {
		return ctx, func() {}, nil
	}
	d, err := time.ParseDuration(timeout)
	if err != nil || d <= 0 {
		return ctx, nil, errTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	return ctx, cancel, nil
}
