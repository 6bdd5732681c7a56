// Works with database/sql and lib/pq as an application does; see target.Target.run.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/lib/pq"
)

var input = bufio.NewReader(os.Stdin)

func must(failure error) {
	if failure != nil {
		fmt.Fprintln(os.Stderr, failure)
		os.Exit(1)
	}
}

func check(holds bool, what string) {
	if !holds {
		must(errors.New("not so: " + what))
	}
}

func shuffle() {
	fmt.Println("shuffle")
	_, failure := input.ReadString('\n')
	must(failure)
}

func open(extra string) *sql.DB {
	source := fmt.Sprintf("host=%s port=%s user=%s password=%s dbname=%s sslmode=disable %s",
		os.Getenv("PGHOST"), os.Getenv("PGPORT"), os.Getenv("PGUSER"), os.Getenv("PGPASSWORD"),
		os.Getenv("PGDATABASE"), extra)
	database, failure := sql.Open("postgres", source)
	must(failure)
	return database
}

// Queries with arguments: Parse, Describe, Sync of the unnamed statement, then Bind, Execute, Sync.
func unnamed(one, two *sql.DB) {
	for number := 0; number < 8; number++ {
		var sum, pid int
		must(one.QueryRow("select $1::int + $2::int + $3::int, pg_backend_pid()", number, 1, 2).Scan(&sum, &pid))
		check(sum == number+3, "the sum is one's")
		fmt.Println("pid", pid)
		shuffle()
		var word string
		must(two.QueryRow("select $1::text || ' of two'", "w").Scan(&word))
		check(word == "w of two", "the word is two's")
		shuffle()
	}
	var group sync.WaitGroup
	for worker := 0; worker < 8; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for number := 0; number < 50; number++ {
				var got int
				if worker%2 == 0 {
					must(one.QueryRow("select $1::int * $2::int", worker, number).Scan(&got))
					check(got == worker*number, "the product is this worker's")
				} else {
					must(two.QueryRow("select $1::int - $2::int - $3::int", worker, number, 1).Scan(&got))
					check(got == worker-number-1, "the difference is this worker's")
				}
			}
		}(worker)
	}
	group.Wait()
}

// Named statements "1", "2", ... of each connection.
func prepared(one, two *sql.DB) {
	sum, failure := one.Prepare("select $1::int + 1")
	must(failure)
	word, failure := two.Prepare("select $1::text || '!'")
	must(failure)
	for number := 0; number < 8; number++ {
		var got int
		must(sum.QueryRow(number).Scan(&got))
		check(got == number+1, "the prepared sum")
		shuffle()
		var text string
		must(word.QueryRow("w").Scan(&text))
		check(text == "w!", "the prepared word")
	}
	must(sum.Close())
	shuffle()
	var text string
	must(word.QueryRow("late").Scan(&text))
	check(text == "late!", "the other's statement is still there")
	must(word.Close())
}

func transactions(one *sql.DB) {
	for turn := 0; turn < 3; turn++ {
		transaction, failure := one.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelSerializable})
		must(failure)
		_, failure = transaction.Exec("insert into ledger values ($1)", "kept")
		must(failure)
		must(transaction.Commit())
		shuffle()
		transaction, failure = one.Begin()
		must(failure)
		_, failure = transaction.Exec("insert into ledger values ($1)", "lost")
		must(failure)
		_, failure = transaction.Exec("select 1 / $1::int", 0)
		var refused *pq.Error
		check(errors.As(failure, &refused) && refused.Code == "22012", "the error is 22012")
		must(transaction.Rollback())
		shuffle()
	}
	transaction, failure := one.Begin()
	must(failure)
	rows, failure := transaction.Prepare(pq.CopyIn("ledger", "word"))
	must(failure)
	for number := 0; number < 1000; number++ {
		_, failure = rows.Exec("copied")
		must(failure)
	}
	_, failure = rows.Exec()
	must(failure)
	must(rows.Close())
	must(transaction.Commit())
	shuffle()
	var count int
	must(one.QueryRow("select count(*) from ledger").Scan(&count))
	check(count == 1003, "1003 rows are there")
}

// golang-migrate: a lock of the session, several statements in one Exec, unlock.
func migration(one *sql.DB) {
	connection, failure := one.Conn(context.Background())
	must(failure)
	run := func(text string, arguments ...interface{}) {
		_, failure := connection.ExecContext(context.Background(), text, arguments...)
		must(failure)
		shuffle()
	}
	run("select pg_advisory_lock($1)", 4300)
	run("create table if not exists app_migrations (version bigint primary key, dirty boolean)")
	run("create table app_ships (id serial primary key); alter table app_ships add name text;")
	var got bool
	must(one.QueryRow("select pg_try_advisory_lock($1)", 4300).Scan(&got))
	check(!got, "nobody else gets the lock")
	must(connection.QueryRowContext(context.Background(), "select pg_advisory_unlock($1)", 4300).Scan(&got))
	check(got, "the lock was this connection's until the end")
	must(connection.Close())
}

func contexts(one *sql.DB) {
	limited, stop := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer stop()
	_, failure := one.ExecContext(limited, "select pg_sleep(60)")
	check(failure != nil, "a context's end ends the query")
	shuffle()
	var got int
	must(one.QueryRow("select $1::int", 5).Scan(&got))
	check(got == 5, "the next query works")
}

func listens(one *sql.DB) {
	source := fmt.Sprintf("host=%s port=%s user=%s password=%s dbname=%s sslmode=disable",
		os.Getenv("PGHOST"), os.Getenv("PGPORT"), os.Getenv("PGUSER"), os.Getenv("PGPASSWORD"),
		os.Getenv("PGDATABASE"))
	listener := pq.NewListener(source, time.Second, time.Second, nil)
	must(listener.Listen("news"))
	shuffle()
	_, failure := one.Exec("select pg_notify('news', $1)", "heard")
	must(failure)
	select {
	case heard := <-listener.Notify:
		check(heard != nil && heard.Extra == "heard", "the notification is heard")
	case <-time.After(20 * time.Second):
		check(false, "a notification comes")
	}
	must(listener.Close())
}

func main() {
	one, two := open(""), open("search_path=pg_catalog,public")
	two.SetMaxOpenConns(2)
	unnamed(one, two)
	prepared(one, two)
	transactions(one)
	migration(one)
	contexts(one)
	listens(one)
	var path string
	must(two.QueryRow("show search_path").Scan(&path))
	check(path == "pg_catalog,public", "the startup parameter is kept")
	must(one.Close())
	must(two.Close())
	fmt.Println("ok")
}
