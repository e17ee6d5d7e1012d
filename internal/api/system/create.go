package system

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/system/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/user"
)

// order is what requests for a new instance share.
type order interface {
	GetInstanceName() string
	GetFirstOrgName() string
	GetCustomDomain() string
	GetDefaultLanguage() string
}

func (h *Handlers) create(ctx context.Context, r order, owner flow.Owner) (flow.Created, error) {
	return flow.CreateInstance(ctx, h.store, h.vault, flow.NewInstance{
		Name: r.GetInstanceName(), Domain: instance.GeneratedDomain(r.GetInstanceName(), h.host), CustomDomain: r.GetCustomDomain(),
		Language: r.GetDefaultLanguage(), OrgName: r.GetFirstOrgName(), Owner: owner,
	}, api.SupportedLanguages())
}

func (h *Handlers) addInstance(ctx context.Context, r *pb.AddInstanceRequest) (*pb.AddInstanceResponse, error) {
	c, err := h.create(ctx, r, human(r.GetOwnerUserName(), r.GetOwnerProfile(), r.GetOwnerEmail(), r.GetOwnerPassword()))
	return &pb.AddInstanceResponse{InstanceId: c.InstanceID, Details: api.Added(c.Details)}, err
}

func (h *Handlers) createInstance(ctx context.Context, r *pb.CreateInstanceRequest) (*pb.CreateInstanceResponse, error) {
	owner := machine(r.GetMachine())
	if o := r.GetHuman(); o != nil {
		owner = human(o.GetUserName(), o.GetProfile(), o.GetEmail(), o.GetPassword())
	}
	c, err := h.create(ctx, r, owner)
	return &pb.CreateInstanceResponse{
		InstanceId: c.InstanceID, Details: api.Added(c.Details), Pat: c.Token, MachineKey: c.KeyFile,
	}, err
}

// human is an owner made of the messages of either request.
func human(userName string, profile interface {
	GetFirstName() string
	GetLastName() string
	GetPreferredLanguage() string
}, email interface {
	GetEmail() string
	GetIsEmailVerified() bool
}, password interface {
	GetPassword() string
	GetPasswordChangeRequired() bool
},
) flow.Owner {
	return flow.Owner{
		Human: &user.Human{
			UserName: userName, FirstName: profile.GetFirstName(), LastName: profile.GetLastName(),
			PreferredLanguage: profile.GetPreferredLanguage(), Email: email.GetEmail(),
		},
		EmailVerified: email.GetIsEmailVerified(),
		Password:      password.GetPassword(), ChangeRequired: password.GetPasswordChangeRequired(),
	}
}

func machine(m *pb.CreateInstanceRequest_Machine) flow.Owner {
	o := flow.Owner{Machine: user.Machine{UserName: m.GetUserName(), Name: m.GetName()}}
	if pat := m.GetPersonalAccessToken(); pat != nil {
		o.PAT = expiring(pat.GetExpirationDate())
	}
	if key := m.GetMachineKey(); key != nil {
		o.Key = expiring(key.GetExpirationDate())
	}
	return o
}

func expiring(t *timestamppb.Timestamp) *flow.Expiring {
	return &flow.Expiring{Expires: api.Expiration(t)}
}
