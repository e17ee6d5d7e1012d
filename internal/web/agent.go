package web

import "strings"

// maxBrowser bounds what a program that is no browser is named by, in characters.
const maxBrowser = 60

// Browser says in short which browser on which system calls itself by a text, such as
// "Firefox · Linux"; empty: the text says neither. What calls itself something else, such
// as a tool, is named as it names itself.
func Browser(agent string) string {
	first := func(names ...[2]string) string {
		for _, n := range names {
			if strings.Contains(agent, n[0]) {
				return n[1]
			}
		}
		return ""
	}
	// Browsers name those that they are like, so the order matters.
	browser := first([2]string{"Edg", "Edge"}, [2]string{"OPR/", "Opera"}, [2]string{"SamsungBrowser", "Samsung Internet"}, [2]string{"Firefox/", "Firefox"}, [2]string{"FxiOS", "Firefox"},
		[2]string{"Chrome/", "Chrome"}, [2]string{"CriOS", "Chrome"}, [2]string{"Safari/", "Safari"})
	system := first([2]string{"Windows", "Windows"}, [2]string{"Android", "Android"}, [2]string{"iPhone", "iPhone"}, [2]string{"iPad", "iPad"}, [2]string{"CrOS", "ChromeOS"},
		[2]string{"Mac OS X", "macOS"}, [2]string{"Linux", "Linux"})
	switch {
	case browser != "" && system != "":
		return browser + " · " + system
	case browser+system != "":
		return browser + system
	}
	name, _, _ := strings.Cut(strings.ToValidUTF8(agent, "\uFFFD"), " ")
	characters := []rune(name)
	return string(characters[:min(len(characters), maxBrowser)])
}
