// Package doctor finds what is wrong with an installation, and says what to do about it.
// The command of that name and a page of the console show the same findings.
//
// It imports config, database, and the rooms whose rows tell of trouble.
package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/config"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/instance"
)

// Verdict is how bad a finding is.
type Verdict int

// The verdicts. A note says what a production needs and a trial does not.
const (
	Well Verdict = iota
	Note
	Warning
	Problem
)

// Finding is what was found out about one thing, with what to do about it.
type Finding struct {
	Verdict
	About *fault.Phrase
	Says  *fault.Phrase
}

// Installation is what is looked at.
type Installation struct {
	*config.Config
	// Files are those of the data folder that nobody else may read, by name.
	Files []string
	// MakeData makes the data folder, and fails where nothing can be written there.
	MakeData func() error
	// Open gives the database, to be closed; nil: there is none yet.
	Open func() (*database.DB, error)
}

// look is one look at an installation.
type look struct {
	Installation
	ctx   context.Context //nolint:containedctx // a look is one call
	of    string          // the instance that is looked at; empty: all
	found []Finding
}

// Look looks at the whole installation: for whoever runs it.
func Look(ctx context.Context, in Installation) []Finding {
	l := &look{Installation: in, ctx: ctx}
	l.setup()
	if db := l.open(); db != nil {
		defer func() { _ = db.Close() }()
		l.data(db)
	}
	return l.found
}

// LookAt looks at one instance of a running server: for who administers it. They see
// what is found about the installation where it is theirs alone. in.Config may be nil:
// then the data are all that is looked at.
func LookAt(ctx context.Context, in Installation, db *database.DB, id string) ([]Finding, error) {
	hosts, err := instance.Hosts(ctx, db)
	if err != nil {
		return nil, err
	}
	l := &look{Installation: in, ctx: ctx, of: id}
	alone := !slices.ContainsFunc(hosts, func(h instance.Host) bool { return h.Instance != id })
	if !alone || in.Config == nil {
		l.instances(db)
		return l.found, nil
	}
	l.setup()
	l.data(db)
	return l.found, nil
}

func (l *look) say(v Verdict, about, says *fault.Phrase) {
	l.found = append(l.found, Finding{v, about, says})
}

func (l *look) well(about, says *fault.Phrase)    { l.say(Well, about, says) }
func (l *look) note(about, says *fault.Phrase)    { l.say(Note, about, says) }
func (l *look) warning(about, says *fault.Phrase) { l.say(Warning, about, says) }
func (l *look) problem(about, says *fault.Phrase) { l.say(Problem, about, says) }

// What a finding can be about.
var (
	aboutConfiguration = fault.Say("configuration")
	aboutExternal      = fault.Say("external URL")
	aboutListener      = fault.Say("listener")
	aboutProxies       = fault.Say("proxies")
	aboutMetrics       = fault.Say("metrics")
	aboutCertificate   = fault.Say("certificate")
	aboutFolder        = fault.Say("data folder")
	aboutDisk          = fault.Say("disk")
	aboutDatabase      = fault.Say("database")
	aboutDurability    = fault.Say("durability")
	aboutClock         = fault.Say("clock")
	aboutSchema        = fault.Say("schema")
	aboutInstances     = fault.Say("instances")
	aboutMessages      = fault.Say("messages")
	aboutJobs          = fault.Say("jobs")
)

// as is a text that is the same in every language, such as an address or an error.
func as(text string) *fault.Phrase { return &fault.Phrase{Text: "%s", Args: []any{text}} }

// at is where to change a setting: the line, variable or flag that sets it, or its key
// where nothing does.
func (l *look) at(key string) *fault.Phrase {
	if o := l.Origin(key); o != "" {
		return fault.Say("change %s (%s)", key, o)
	}
	return fault.Say("set %s", key)
}

// Unreadable are the findings about a configuration that cannot be read: each line of
// what is wrong with it.
func Unreadable(err error) (out []Finding) {
	for line := range strings.Lines(err.Error()) {
		out = append(out, Finding{Problem, aboutConfiguration, as(strings.TrimSpace(line))})
	}
	return out
}

// setup looks at what is there without a database.
func (l *look) setup() {
	l.configuration()
	l.network()
	l.folder()
}

func (l *look) configuration() {
	if err := Roles(l.Config); err != nil {
		l.problem(aboutConfiguration, as(oneLine(err)))
		return
	}
	if file, ok := l.Origin("database.url").File(); ok { // The URL holds a password.
		l.private(aboutConfiguration, file)
	}
	n := 0
	for _, key := range config.Keys() {
		if l.Origin(key) != "" {
			n++
		}
	}
	l.well(aboutConfiguration, fault.Say("%d settings differ from their defaults: gatehouse config shows them", n))
}

// Roles refuses a configuration with roles and permissions that do not exist.
func Roles(c *config.Config) error {
	builtin, err := authz.Builtin(nil)
	if err != nil {
		return err
	}
	for role, permissions := range c.Roles {
		for _, p := range permissions {
			if !builtin.KnownPermission(p) {
				return c.Errorf("roles."+role, "there is no permission %s", p)
			}
		}
	}
	for i, u := range c.SystemUsers {
		for j, m := range u.Memberships {
			for _, role := range m.Roles {
				if !builtin.KnownSystem(role) {
					return c.Errorf(fmt.Sprintf("system_users.%d.memberships.%d.roles", i, j), "there is no role %s for system users", role)
				}
			}
		}
	}
	return nil
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
