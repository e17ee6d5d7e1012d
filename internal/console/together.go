package console

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// atOnce is how many calls a page makes at a time.
const atOnce = 4

// together asks something of each of several things, some at a time, and gives the answers
// in their order.
func together[T, A any](of []T, ask func(T) (A, error)) ([]A, error) {
	answers, errs := make([]A, len(of)), make([]error, len(of))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, one := range of {
		slots <- struct{}{}
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil { // Else the whole server would end with it.
					errs[i] = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
				}
				<-slots
			}()
			answers[i], errs[i] = ask(one)
		})
	}
	all.Wait()
	return answers, errors.Join(errs...)
}
