package console

import (
	"net/http"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/doctor"
)

const atCheckup = atInstance + "/checkup"

// checkupPages are what is wrong with the set-up. The findings are those of the command
// doctor, as far as they are about the instance, and so no call of the contract.
func checkupPages() []page {
	return []page{{path: atCheckup, permission: iamRead, get: showCheckup}}
}

// checkupPage is what the page shows: the worst verdict, and all findings.
type checkupPage struct {
	Worst cell
	Found []checked
}

// checked is a finding in words.
type checked struct {
	About, Says string
	Verdict     cell
}

// verdicts are how the verdicts of the doctor are called and look, the worst first.
var verdicts = []struct {
	doctor.Verdict
	text, state string
}{
	{doctor.Problem, "checkup-problem", "bad"}, {doctor.Warning, "checkup-warning", "warning"}, {doctor.Note, "checkup-note", "idle"}, {doctor.Well, "checkup-well", "good"},
}

// showCheckup shows what was found, the worst first.
func showCheckup(v *visit) error {
	found, err := v.calls.Look(v.Ctx, v.Instance)
	if err != nil {
		return err
	}
	var p checkupPage
	for _, verdict := range verdicts {
		for _, f := range found {
			if f.Verdict == verdict.Verdict {
				p.Found = append(p.Found, checked{capital(api.Say(v.Call.Languages, f.About)), api.Say(v.Call.Languages, f.Says), cell{Text: v.Texts.T(verdict.text), State: verdict.state}})
			}
		}
	}
	if len(p.Found) > 0 {
		p.Worst = p.Found[0].Verdict
	}
	v.show(http.StatusOK, "checkup", frame{Title: v.Texts.T("checkup"), More: p})
	return nil
}

// capital is a text with a capital letter at its beginning.
func capital(s string) string {
	if s == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
