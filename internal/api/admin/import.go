package admin

import (
	"context"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	managementpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	datapb "github.com/gatehouse/gatehouse/gen/zitadel/v1/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func (h *Handlers) imports() []api.RPC {
	return []api.RPC{api.Compound("ImportData", importData)}
}

// importFields are the fields of an organization's data in the order in which an import
// makes what they hold: first what others rest on, and what can rest on another
// organization once all are there.
var importFields = [][]protoreflect.Name{
	{
		"domain_policy", "iam_policy", "label_policy", "lockout_policy", "login_policy", "second_factors", "multi_factors", "idps",
		"password_complexity_policy", "privacy_policy", "login_texts", "init_messages", "password_reset_messages", "verify_email_messages",
		"verify_phone_messages", "verify_sms_otp_messages", "verify_email_otp_messages", "domain_claimed_messages",
		"passwordless_registration_messages", "invite_user_messages", "domains", "oidc_idps", "jwt_idps",
		"human_users", "machine_users", "user_metadata", "user_links", "machine_keys",
		"projects", "project_roles", "api_apps", "oidc_apps", "app_keys", "actions", "trigger_actions",
	},
	{"project_grants"},
	{"user_grants", "org_members", "project_members", "project_grant_members"},
	{"org_state"},
}

// crowds are the fields that hold many objects which do not rest on each other: they are
// made crowd at a time.
var crowds = map[protoreflect.Name]bool{"human_users": true, "machine_users": true, "user_metadata": true, "user_grants": true, "machine_keys": true, "app_keys": true}

const crowd = 16

var (
	errImportTried = fault.Invalid("IMPORT-dry-run", "An import cannot be tried out: each object is made by itself and rests on others. Import into a test instance instead.")
	errImportFiles = fault.Unimplemented("Imports from files and from object storage are not built. Send the data itself, as data_orgs or data_orgsv1.")
	errImportEmpty = fault.Invalid("IMPORT-empty", "Send the organizations as data_orgs or data_orgsv1.")
	errTimeout     = fault.Invalid("IMPORT-timeout", "The timeout is a duration such as 5s or 500ms.")
)

// importData makes each object of the request by the call of the contract that makes
// one, and tells which of them failed.
func importData(ctx context.Context, do api.Do, r *pb.ImportDataRequest) (*pb.ImportDataResponse, error) {
	if eventstore.IsDryRun(ctx) {
		return nil, errImportTried
	}
	data, err := importedOrgs(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel, err := within(ctx, r.GetTimeout())
	if err != nil {
		return nil, err
	}
	defer cancel()
	i := &importing{do: do, res: &pb.ImportDataResponse{Success: &pb.ImportDataSuccess{}}}
	orgs := make([]*importedOrg, len(data))
	for n, d := range data {
		orgs[n] = i.org(ctx, d)
	}
	for _, fields := range importFields {
		for _, o := range orgs {
			for _, f := range fields {
				i.field(ctx, o, f)
			}
		}
	}
	return i.res, nil
}

// orgData is the data of an organization, in either form.
type orgData interface {
	proto.Message
	GetOrgId() string
	GetOrg() *managementpb.AddOrgRequest
	GetAppKeys() []*datapb.DataAppKey
}

func importedOrgs(r *pb.ImportDataRequest) (out []orgData, err error) {
	for _, o := range r.GetDataOrgs().GetOrgs() {
		out = append(out, o)
	}
	for _, o := range r.GetDataOrgsv1().GetOrgs() {
		out = append(out, o)
	}
	switch {
	case r.GetData() != nil && r.GetDataOrgs() == nil && r.GetDataOrgsv1() == nil:
		return nil, errImportFiles
	case len(out) == 0:
		return nil, errImportEmpty
	}
	return out, nil
}

// importing is an import under way.
type importing struct {
	do  api.Do
	res *pb.ImportDataResponse
}

// importedOrg is an organization of an import. Where it could not be made and there is
// none, it has no id.
type importedOrg struct {
	id      string
	data    protoreflect.Message
	clients map[string]string        // ids that applications have as clients, where keys of theirs name them
	made    *pb.ImportDataSuccessOrg // nil until something of it is made
}

// org makes an organization, where the data says how. Without, or where it is there
// already, what else the data holds is added to the one that is there.
func (i *importing) org(ctx context.Context, data orgData) *importedOrg {
	o := &importedOrg{id: data.GetOrgId(), data: data.ProtoReflect(), clients: map[string]string{}}
	for _, k := range data.GetAppKeys() {
		if id := k.GetClientId(); id != "" {
			o.clients[k.GetAppId()] = id
		}
	}
	if data.GetOrg() == nil && o.id != "" {
		return o
	}
	res, err := i.do(api.WithImport(ctx, api.Import{ID: o.id}), "", data.GetOrg())
	if err != nil {
		i.failed(ctx, "org", o.id, err)
		return o
	}
	o.id = res.(*managementpb.AddOrgResponse).GetId() //nolint:forcetypeassert // the answer to the request
	i.success(o)
	return o
}

// success is where the objects of an organization are told that were made.
func (i *importing) success(o *importedOrg) *pb.ImportDataSuccessOrg {
	if o.made == nil {
		o.made = &pb.ImportDataSuccessOrg{OrgId: o.id}
		i.res.Success.Orgs = append(i.res.Success.Orgs, o.made)
	}
	return o.made
}

func (i *importing) failed(ctx context.Context, kind, id string, err error) {
	i.res.Errors = append(i.res.Errors, &pb.ImportDataError{Type: kind, Id: id, Message: api.Told(ctx, err)})
}

// field makes the objects of a field of an organization's data.
func (i *importing) field(ctx context.Context, o *importedOrg, name protoreflect.Name) {
	objects := objectsOf(o, name)
	answers, errs := make([]proto.Message, len(objects)), make([]error, len(objects))
	most := 1
	if crowds[name] {
		most = crowd
	}
	var all sync.WaitGroup
	free := make(chan struct{}, most)
	for n, x := range objects {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			answers[n], errs[n] = x.create(ctx, i.do)
		})
	}
	all.Wait()
	for n, x := range objects {
		if errs[n] != nil {
			i.failed(ctx, strings.TrimSuffix(string(name), "s"), x.name(), errs[n])
			continue
		}
		x.tell(i.success(o), answers[n])
	}
}
