package main

import "github.com/spf13/cobra"

func configCommand() *cobra.Command {
	return command("config", "Show the configuration as it counts, and where each value came from", func(s *session) error {
		text, err := s.YAML()
		if err == nil {
			_, err = s.out.Write(text)
		}
		return err
	})
}
