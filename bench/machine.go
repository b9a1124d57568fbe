package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// machine tells what the figures were measured on.
func machine(ctx context.Context, o options, note string) string {
	said := []string{fmt.Sprintf("%s, %d cores (%s), %s", cpu(), runtime.NumCPU(), runtime.GOOS+"/"+runtime.GOARCH, runtime.Version())}
	for _, e := range engines(o) {
		if v := e.version(ctx); v != "" {
			said = append(said, v)
		}
	}
	if note != "" {
		said = append(said, note)
	}
	return strings.Join(said, "; ") + "."
}

func cpu() string {
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if name, model, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(model)
			}
		}
	}
	if out, err := exec.Command("sysctl", "-n", "machdep.cpu.brand_string").Output(); err == nil {
		return strings.TrimSpace(string(out))
	}
	return "a processor without a name"
}
