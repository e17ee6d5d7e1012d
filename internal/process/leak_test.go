package process

import (
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
