// The process that holds a pod's namespaces. With an address as its argument it is instead
// a small service for the tests: ready two seconds after its start, and not before.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		go serve(os.Args[1])
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}

func serve(address string) {
	started := time.Now()
	http.HandleFunc("/ready", func(w http.ResponseWriter, r *http.Request) {
		if time.Since(started) < 2*time.Second {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello from a real pod:", os.Getenv("GREETING"))
	})
	if err := http.ListenAndServe(address, nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
