package session_test

import (
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
