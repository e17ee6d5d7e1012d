package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/doctor"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Look for what is wrong with this installation", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := newSession(cmd)
			if err != nil {
				return tell(cmd.OutOrStdout(), doctor.Unreadable(err))
			}
			return tell(s.out, doctor.Look(s.ctx, s.installation()))
		},
	}
}

// installation is what the doctor looks at.
func (s *session) installation() doctor.Installation {
	return doctor.Installation{
		Config: s.Config, Files: []string{tokenFile, keyFile}, MakeData: s.makeData,
		Open: func() (*database.DB, error) {
			if _, err := os.Stat(s.databaseFile()); s.embedded() && errors.Is(err, fs.ErrNotExist) {
				return nil, nil //nolint:nilnil // there is none yet
			}
			return s.open(nil)
		},
	}
}

var errProblems = errors.New("there are problems: see above")

// tell writes the findings, a line each, and fails where there is a problem.
func tell(out io.Writer, findings []doctor.Finding) (err error) {
	verdicts := map[doctor.Verdict]string{doctor.Well: "ok", doctor.Note: "note", doctor.Warning: "warning", doctor.Problem: "PROBLEM"}
	for _, f := range findings {
		if f.Verdict == doctor.Problem {
			err = errProblems
		}
		fmt.Fprintf(out, "%-8s %-14s %s\n", verdicts[f.Verdict], f.About, f.Says)
	}
	return err
}
