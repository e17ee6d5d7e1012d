package user

import (
	"cmp"
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) humans() []api.RPC {
	return []api.RPC{
		api.Unary("AddHumanUser", h.addHumanUser),
		api.Unary("UpdateHumanUser", h.updateHumanUser),
		api.Unary("HumanMFAInitSkipped", h.humanMFAInitSkipped),
	}
}

// given is a text of a reply that may be absent.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func (h *Handlers) createHuman(ctx context.Context, r *pb.CreateUserRequest) (*pb.CreateUserResponse, error) {
	s := eventstore.Scope{Instance: authz.From(ctx).Instance, Org: r.GetOrganizationId()}
	n, err := api.HumanV2(ctx, h.store, s, r.GetHuman(), r.GetUserId(), r.GetUsername())
	if err != nil {
		return nil, err
	}
	n.Metadata = api.Entries(append(r.GetHuman().GetMetadata(), r.GetMetadata()...)) //nolint:staticcheck // older clients send it there
	res := &pb.CreateUserResponse{}
	err = h.store.Write(ctx, func(tx *eventstore.Tx) error {
		id, codes, d, err := flow.AddHuman(tx, h.vault, s, n)
		res.Id, res.CreationDate = id, timestamppb.New(d.Changed)
		res.EmailCode, res.PhoneCode = given(codes.Email), given(codes.Phone)
		return err
	})
	return res, err
}

func (h *Handlers) addHumanUser(ctx context.Context, r *pb.AddHumanUserRequest) (*pb.AddHumanUserResponse, error) {
	s, err := h.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	n, err := api.HumanV2(ctx, h.store, s, r, r.GetUserId(), r.GetUsername())
	if err != nil {
		return nil, err
	}
	n.Metadata = api.Entries(r.GetMetadata())
	res := &pb.AddHumanUserResponse{}
	err = h.store.Write(ctx, func(tx *eventstore.Tx) error {
		id, codes, d, err := flow.AddHuman(tx, h.vault, s, n)
		res.UserId, res.Details = id, api.ChangedV2(d)
		res.EmailCode, res.PhoneCode = given(codes.Email), given(codes.Phone)
		return err
	})
	return res, err
}

// scope is the organization that a request names by its id or by a domain, or else
// that of the call.
func (h *Handlers) scope(ctx context.Context, r *pb.AddHumanUserRequest) (s eventstore.Scope, err error) {
	c := authz.From(ctx)
	s = eventstore.Scope{Instance: c.Instance, Org: cmp.Or(r.GetOrganization().GetOrgId(), c.Org)}
	if domain := r.GetOrganization().GetOrgDomain(); domain != "" {
		s.Org, err = flow.OrgWithDomain(ctx, h.store, s.Instance, domain)
	}
	return s, err
}

// editHuman changes a human, with a password or without, at once or not at all.
func (h *Handlers) editHuman(ctx context.Context, r interface{ GetUserId() string }, e flow.HumanEdit, p *pb.SetPassword) (codes flow.Codes, d eventstore.Details, err error) {
	edit := func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		codes, d, err = flow.EditHuman(tx, h.vault, s, r.GetUserId(), e)
		return d, err
	}
	if p == nil {
		d, err = h.write(ctx, r, edit)
		return codes, d, err
	}
	n, current, code := newPassword(p)
	n.And = func(tx *eventstore.Tx) error {
		if e.Empty() {
			return nil
		}
		s, err := flow.ScopeOf(ctx, tx.Reader(), r.GetUserId())
		if err == nil {
			_, err = edit(tx, s)
		}
		return err
	}
	set, err := h.changePassword(ctx, r.GetUserId(), n, current, code)
	if d.Changed.IsZero() {
		d = set
	}
	return codes, d, err
}

func (h *Handlers) updateHumanUser(ctx context.Context, r *pb.UpdateHumanUserRequest) (*pb.UpdateHumanUserResponse, error) {
	e := flow.HumanEdit{UserName: r.Username, Email: email(r.GetEmail()), Phone: phone(r.GetPhone())}
	if p := r.GetProfile(); p != nil {
		e.Profile = func(h *user.Human) { api.SetProfileV2(h, p) }
	}
	codes, d, err := h.editHuman(ctx, r, e, r.GetPassword())
	return &pb.UpdateHumanUserResponse{Details: api.ChangedV2(d), EmailCode: given(codes.Email), PhoneCode: given(codes.Phone)}, err
}

func (h *Handlers) updateHuman(ctx context.Context, r *pb.UpdateUserRequest) (*pb.UpdateUserResponse, error) {
	in := r.GetHuman()
	e := flow.HumanEdit{UserName: r.Username, Email: email(in.GetEmail()), Phone: phone(in.GetPhone()), Metadata: api.Entries(r.GetMetadata())}
	if p := in.GetProfile(); p != nil {
		e.Profile = editProfile(p)
	}
	codes, d, err := h.editHuman(ctx, r, e, in.GetPassword())
	return &pb.UpdateUserResponse{ChangeDate: timestamppb.New(d.Changed), EmailCode: given(codes.Email), PhoneCode: given(codes.Phone)}, err
}

// editProfile writes what a request names into a human.
func editProfile(p *pb.UpdateUserRequest_Human_Profile) func(*user.Human) {
	return func(h *user.Human) {
		for to, value := range map[*string]*string{
			&h.FirstName: p.GivenName, &h.LastName: p.FamilyName, &h.NickName: p.NickName, &h.DisplayName: p.DisplayName, &h.PreferredLanguage: p.PreferredLanguage,
		} {
			if value != nil {
				*to = *value
			}
		}
		if p.Gender != nil {
			h.Gender = int32(p.GetGender())
		}
	}
}

func email(r *pb.SetHumanEmail) *flow.NewContact {
	if r == nil {
		return nil
	}
	return &flow.NewContact{Value: r.GetEmail(), Verification: api.VerifyEmailV2(r)}
}

func phone(r *pb.SetHumanPhone) *flow.NewContact {
	if r == nil {
		return nil
	}
	return &flow.NewContact{Value: r.GetPhone(), Verification: api.VerifyPhoneV2(r)}
}

func (h *Handlers) humanMFAInitSkipped(ctx context.Context, r *pb.HumanMFAInitSkippedRequest) (*pb.HumanMFAInitSkippedResponse, error) {
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.SkipMFA(tx, s, r.GetUserId())
	})
	return &pb.HumanMFAInitSkippedResponse{Details: api.ChangedV2(d)}, err
}
