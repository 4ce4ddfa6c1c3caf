// Hello from Go: goroutines on several threads, a child process, pipes, signals, files, timers.
package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func sum(n int) int {
	total := 0
	for i := 0; i < n; i++ {
		total += i * i % 7
	}
	return total
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			fmt.Println("child says", strings.ToUpper(in.Text()))
		}
		os.Exit(7)
	}
	fmt.Println("hello from", runtime.GOOS, runtime.GOARCH)

	var group sync.WaitGroup
	results := make([]int, 8)
	for i := range results {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			runtime.LockOSThread()
			results[i] = sum(200000 + i)
		}(i)
	}
	group.Wait()
	fmt.Println("threads", results)

	hand := make(chan int)
	done := make(chan int)
	for i := 0; i < 100; i++ {
		go func() {
			n := 0
			for v := range hand {
				n += v
			}
			done <- n
		}()
	}
	for i := 1; i <= 10000; i++ {
		hand <- i
	}
	close(hand)
	total := 0
	for i := 0; i < 100; i++ {
		total += <-done
	}
	fmt.Println("channels", total)

	child := exec.Command("/proc/self/exe", "child")
	child.Stdin = strings.NewReader("one\ntwo\n")
	out, err := child.Output()
	fmt.Printf("%s%v\n", out, err)
	out, err = exec.Command("sh", "-c", "echo from sh; exit 3").CombinedOutput()
	fmt.Printf("%s%v\n", out, err)
	_, err = exec.Command("/nonexistent").Output()
	fmt.Println(err)

	notes := make(chan os.Signal, 4)
	signal.Notify(notes, syscall.SIGUSR1, syscall.SIGTERM)
	must(syscall.Kill(os.Getpid(), syscall.SIGUSR1))
	fmt.Println("signal", <-notes)
	sleeper := exec.Command("sleep", "100")
	must(sleeper.Start())
	must(sleeper.Process.Signal(syscall.SIGTERM))
	fmt.Println(sleeper.Wait())

	ticker := time.NewTicker(5 * time.Millisecond)
	for i := 0; i < 5; i++ {
		<-ticker.C
	}
	select {
	case <-time.After(20 * time.Millisecond):
		fmt.Println("timer")
	case <-notes:
		fmt.Println("unexpected signal")
	}

	dir, err := os.MkdirTemp("", "go")
	must(err)
	for i := 0; i < 20; i++ {
		must(os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%02d", i)), []byte(strings.Repeat("x", i*1000)), 0o644))
	}
	var names []string
	must(filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if !info.IsDir() {
			names = append(names, fmt.Sprint(info.Name(), " ", info.Size()))
		}
		return err
	}))
	sort.Strings(names)
	fmt.Println("files", len(names), names[19])
	f, err := os.Open(filepath.Join(dir, "f19"))
	must(err)
	hash := sha256.New()
	n, err := io.Copy(hash, f)
	must(err)
	fmt.Printf("%d bytes %x\n", n, hash.Sum(nil)[:8])
	must(os.RemoveAll(dir))

	var kept [][]byte
	for i := 0; i < 200; i++ {
		block := make([]byte, 1<<18)
		block[i] = 1
		if i%10 == 0 {
			kept = append(kept, block)
		}
	}
	runtime.GC()
	fmt.Println("memory", len(kept))

	r, w, err := os.Pipe()
	must(err)
	must(r.SetReadDeadline(time.Now().Add(30 * time.Millisecond)))
	_, err = r.Read(make([]byte, 1))
	fmt.Println(os.IsTimeout(err))
	go fmt.Fprintln(w, "through a pipe")
	must(r.SetReadDeadline(time.Time{}))
	line, _ := bufio.NewReader(r).ReadString('\n')
	fmt.Print(line)
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		var p *int
		fmt.Println(*p)
	}()
	os.Exit(42)
}
