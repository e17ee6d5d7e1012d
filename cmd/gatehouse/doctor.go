package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse/gatehouse/internal/config"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Look for what is wrong with this installation", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			s, err := newSession(cmd)
			if err != nil {
				d := &doctor{out: out}
				for line := range strings.Lines(err.Error()) {
					d.problemf("configuration", "%s", strings.TrimSpace(line))
				}
				return d.verdict()
			}
			return (&doctor{session: s, out: out}).run()
		},
	}
}

// doctor looks at an installation and says of each thing whether it is well.
type doctor struct {
	*session
	out      io.Writer
	problems int
}

func (d *doctor) run() error {
	d.checkConfiguration()
	d.checkExternalURL()
	d.checkReach()
	d.checkCertificate()
	d.checkFolder()
	d.checkDatabase()
	return d.verdict()
}

var errProblems = errors.New("there are problems: see above")

func (d *doctor) verdict() error {
	if d.problems > 0 {
		return errProblems
	}
	return nil
}

func (d *doctor) say(verdict, about, format string, args []any) {
	fmt.Fprintf(d.out, "%-8s %-14s %s\n", verdict, about, fmt.Sprintf(format, args...))
}

func (d *doctor) okf(about, format string, args ...any) { d.say("ok", about, format, args) }

// notef says what a production needs and a trial does not.
func (d *doctor) notef(about, format string, args ...any) { d.say("note", about, format, args) }

func (d *doctor) warningf(about, format string, args ...any) { d.say("warning", about, format, args) }

func (d *doctor) problemf(about, format string, args ...any) {
	d.problems++
	d.say("PROBLEM", about, format, args)
}

// at is where to change a setting: the line, variable or flag that sets it, or
// its key where nothing does.
func (d *doctor) at(key string) string {
	if o := d.Origin(key); o != "" {
		return "change " + key + " (" + string(o) + ")"
	}
	return "set " + key
}

func (d *doctor) checkConfiguration() {
	if err := d.checkRoles(); err != nil {
		d.problemf("configuration", "%v", err)
		return
	}
	if file, ok := d.Origin("database.url").File(); ok { // The URL holds a password.
		d.private("configuration", file)
	}
	n := 0
	for _, key := range config.Keys() {
		if d.Origin(key) != "" {
			n++
		}
	}
	d.okf("configuration", "%d settings differ from their defaults: gatehouse config shows them", n)
}
