// Works with pgx as an application does, in the mode that the command line names; see target.Target.run.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

var (
	input  = bufio.NewReader(os.Stdin)
	always = context.Background()
	mode   = os.Args[1]
)

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

func refused(failure error, state string) {
	var error *pgconn.PgError
	check(errors.As(failure, &error) && error.Code == state, fmt.Sprintf("%v is %s", failure, state))
}

func shuffle() {
	fmt.Println("shuffle")
	_, failure := input.ReadString('\n')
	must(failure)
}

// PGHOST and its like are in the environment; mode is what pgx adds to the connection string.
func connected(extra string) *pgx.Conn {
	connection, failure := pgx.Connect(always, mode+" "+extra)
	must(failure)
	return connection
}

func pid(connection *pgx.Conn) {
	var number int
	must(connection.QueryRow(always, "select pg_backend_pid()").Scan(&number))
	fmt.Println("pid", number)
}

// `prepared statement "lrupsc_1_0" does not exist (SQLSTATE 26000)`, `... already exists (42P05)`: both
// connections count their statements from 0.
func queries(one, two *pgx.Conn) {
	for number := 0; number < 6; number++ {
		var sum int
		must(one.QueryRow(always, "select $1::int + $2::int", number, 1).Scan(&sum))
		check(sum == number+1, "the sum is one's")
		pid(one)
		shuffle()
		var word string
		must(two.QueryRow(always, "select $1::text || ' of two'", "w").Scan(&word))
		check(word == "w of two", "the word is two's")
		shuffle()
		_, failure := one.Exec(always, "select 1 / $1::int", 0)
		refused(failure, "22012")
	}
	for number := 0; number < 600; number++ { // the cache holds 512
		var got int
		must(two.QueryRow(always, fmt.Sprintf("select %d + $1::int", number), 1).Scan(&got))
		check(got == number+1, "the sum is two's")
	}
}

// Not in the mode that describes only: pgx 4 sends the name as the text there.
func named(one, two *pgx.Conn) {
	_, failure := one.Prepare(always, "by name", "select $1::int * 3")
	must(failure)
	_, failure = two.Prepare(always, "by name", "select $1::int * 4")
	must(failure)
	for number := 0; number < 4; number++ {
		shuffle()
		var three, four int
		must(one.QueryRow(always, "by name", number).Scan(&three))
		must(two.QueryRow(always, "by name", number).Scan(&four))
		check(three == number*3 && four == number*4, "the products are their own")
	}
	must(one.Deallocate(always, "by name"))
	shuffle()
	var late int
	must(two.QueryRow(always, "by name", 5).Scan(&late))
	check(late == 20, "two's statement is still there")
}

// One write with one Sync; an error ends the rest.
func batches(one, two *pgx.Conn) {
	for turn := 0; turn < 3; turn++ {
		good, bad := &pgx.Batch{}, &pgx.Batch{}
		for number := 0; number < 20; number++ {
			good.Queue("select $1::int * $2::int", number, turn)
		}
		results := one.SendBatch(always, good)
		for number := 0; number < 20; number++ {
			var got int
			must(results.QueryRow().Scan(&got))
			check(got == number*turn, "the answers come in order")
		}
		must(results.Close())
		pid(one)
		shuffle()
		bad.Queue("insert into ledger values ($1)", "lost")
		bad.Queue("select 1 / $1::int", 0)
		bad.Queue("insert into ledger values ($1)", "lost too")
		results = two.SendBatch(always, bad)
		_, failure := results.Exec()
		must(failure)
		_, failure = results.Exec()
		refused(failure, "22012")
		_ = results.Close()
		shuffle()
	}
}

func transactions(one, two *pgx.Conn) {
	for turn := 0; turn < 3; turn++ {
		outer, failure := one.BeginTx(always, pgx.TxOptions{IsoLevel: pgx.Serializable})
		must(failure)
		_, failure = outer.Exec(always, "insert into ledger values ($1)", "kept")
		must(failure)
		inner, failure := outer.Begin(always)
		must(failure)
		_, failure = inner.Exec(always, "insert into nothing values ($1)", 1)
		refused(failure, "42P01")
		must(inner.Rollback(always))
		var seen int
		must(two.QueryRow(always, "select count(*) from ledger").Scan(&seen))
		check(seen == turn*101, "two does not see it yet")
		must(outer.Commit(always))
		shuffle()
		pid(one)
		rows := make([][]interface{}, 100)
		for number := range rows {
			rows[number] = []interface{}{"copied"}
		}
		count, failure := one.CopyFrom(always, pgx.Identifier{"ledger"}, []string{"word"}, pgx.CopyFromRows(rows))
		must(failure)
		check(count == 100, "100 rows are copied")
		shuffle()
	}
}

// `cached plan must not change result type`: pgx drops the statement, and the next try works.
func changed(one, two *pgx.Conn) {
	_, failure := two.Exec(always, "create table shape as select 1 as a")
	must(failure)
	var number int
	var text string
	for _, connection := range []*pgx.Conn{one, two} {
		shuffle()
		must(connection.QueryRow(always, "select * from shape").Scan(&number))
	}
	_, failure = two.Exec(always, "alter table shape alter a type text using 'text'")
	must(failure)
	for _, connection := range []*pgx.Conn{one, two} {
		shuffle()
		failure = connection.QueryRow(always, "select * from shape").Scan(&text)
		if strings.Contains(mode, "mode=prepare") {
			refused(failure, "0A000")
		}
		for turn := 0; turn < 3; turn++ {
			shuffle()
			must(connection.QueryRow(always, "select * from shape").Scan(&text))
			check(text == "text", "it is the new row")
		}
	}
}

func contexts(one, two *pgx.Conn) {
	limited, stop := context.WithTimeout(always, 200*time.Millisecond)
	defer stop()
	_, failure := one.Exec(limited, "select pg_sleep(60)") // closes the connection
	check(failure != nil && one.IsClosed(), "a context's end ends the query and the connection")
	again := connected("")
	var got int
	must(again.QueryRow(always, "select $1::int", 5).Scan(&got))
	check(got == 5, "the next connection works")
	sleeping := make(chan error)
	go func() {
		_, failure := again.Exec(always, "select pg_sleep(60), 'of again'")
		sleeping <- failure
	}()
	for count := 0; count == 0; {
		must(two.QueryRow(always, "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and query like $1",
			"%'of again'%").Scan(&count))
	}
	must(again.PgConn().CancelRequest(always))
	refused(<-sleeping, "57014")
	must(again.QueryRow(always, "select $1::int", 6).Scan(&got))
	must(again.Close(always))
}

func listens(one, two *pgx.Conn) {
	_, failure := one.Exec(always, "listen news")
	must(failure)
	for _, word := range []string{"first", "second", "third"} {
		shuffle()
		_, failure = two.Exec(always, "select pg_notify('news', $1)", word)
		must(failure)
		limited, stop := context.WithTimeout(always, 20*time.Second)
		heard, failure := one.WaitForNotification(limited)
		must(failure)
		stop()
		check(heard.Payload == word, "the notification is heard")
	}
	_, failure = one.Exec(always, "unlisten *")
	must(failure)
}

func settings() {
	one, two := connected("search_path=pg_catalog statement_timeout=77000"), connected("timezone=Asia/Tokyo")
	for turn := 0; turn < 4; turn++ {
		var path, timeout, zone string
		shuffle()
		must(one.QueryRow(always, "select current_setting('search_path'), current_setting('statement_timeout')").Scan(&path, &timeout))
		must(two.QueryRow(always, "select current_setting('timezone')").Scan(&zone))
		check(path == "pg_catalog" && timeout == "77s" && zone == "Asia/Tokyo", "settings follow their connections")
	}
	must(one.Close(always))
	must(two.Close(always))
}

func pools() {
	pool, failure := pgxpool.Connect(always, mode+" pool_max_conns=8")
	must(failure)
	var group sync.WaitGroup
	for worker := 0; worker < 8; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for number := 0; number < 40; number++ {
				must(pool.BeginFunc(always, func(transaction pgx.Tx) error {
					var got int
					failure := transaction.QueryRow(always, fmt.Sprintf("select $1::int * %d", number%7), worker).Scan(&got)
					check(failure != nil || got == worker*(number%7), "the product is this worker's")
					return failure
				}))
			}
		}(worker)
	}
	group.Wait()
	pool.Close()
}

func main() {
	one, two := connected(""), connected("application_name=two")
	queries(one, two)
	if !strings.Contains(mode, "describe") {
		named(one, two)
	}
	batches(one, two)
	transactions(one, two)
	changed(one, two)
	listens(one, two)
	contexts(one, two)
	settings()
	pools()
	must(two.Close(always))
	fmt.Println("ok")
}
