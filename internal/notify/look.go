package notify

import (
	"cmp"
	"context"
	"net"
	"net/url"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/provider"
)

// facts are what a message is made of.
type facts struct {
	gone     bool // the user or the instance is not there any more
	carried  bool // there is an active provider
	provider provider.Provider
	user     flow.User
	instance instance.Instance
	origin   url.URL // scheme and host of links
	language string
	text     policy.MessageText
	label    policy.LabelPolicy
}

// look reads the facts as they are now.
func (w *Worker) look(ctx context.Context, id string, m message.Message) (f facts, err error) {
	domain := ""
	if err = w.store.Read(ctx, provider.Active(id, provider.Sort(m.Channel), &f.carried, &f.provider),
		database.One(new(bool), "SELECT domain FROM instance_domains WHERE instance_id = ? AND is_primary = 1", []any{id}, &domain)); err != nil {
		return f, err
	}
	f.origin = url.URL{Scheme: cmp.Or(w.external.Scheme, "https"), Host: domain}
	if port := w.external.Port(); port != "" {
		f.origin.Host = net.JoinHostPort(domain, port)
	}
	f.instance, err = instance.ByID(ctx, w.store, id)
	if err == nil {
		f.user, err = flow.OneUser(ctx, w.store, id, flow.UserWithID(m.UserID))
	}
	if fault.KindOf(err) == fault.KindNotFound {
		f.gone = true
		return f, nil
	}
	if err != nil {
		return f, err
	}
	s := eventstore.Scope{Instance: id, Org: cmp.Or(m.Org, f.user.OrgID)}
	label, err := policy.ResolveActiveLabel(ctx, w.store, s)
	if err != nil {
		return f, err
	}
	f.label = label.Doc
	f.language = cmp.Or(m.Language, f.user.Human.PreferredLanguage, f.instance.DefaultLanguage)
	f.text, err = policy.MessageTextFor(ctx, w.store, s, string(m.Kind), f.language, f.instance.DefaultLanguage)
	return f, err
}
