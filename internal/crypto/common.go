package crypto

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/ccojocar/zxcvbn-go/data"
)

// commonList is the list of the passwords that people choose most, as the module
// keeps it.
const commonList = "data/Passwords.json"

// common are the passwords of the list, as plain leaves them.
var common = sync.OnceValues(func() (map[string]bool, error) {
	file, err := data.Asset(commonList)
	if err != nil {
		return nil, err
	}
	var list struct{ List []string }
	if err := json.Unmarshal(file, &list); err != nil {
		return nil, err
	}
	out := make(map[string]bool, len(list.List))
	for _, password := range list.List {
		out[plain(password)] = true
	}
	return out, nil
})

// plain takes away what people vary a password by: case, and digits around it. Of
// digits alone it leaves all.
func plain(password string) string {
	if word := strings.Trim(strings.ToLower(password), Digits); word != "" {
		return word
	}
	return password
}

// letters are what people write as a character that looks alike.
var letters = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s")

// CommonPassword reports whether a password is one of those that are tried first:
// one of the most common ones, also in another case, with other digits around it,
// or with letters written as digits.
func CommonPassword(password string) (bool, error) {
	list, err := common()
	word := plain(password)
	return list[word] || list[letters.Replace(word)], err
}
