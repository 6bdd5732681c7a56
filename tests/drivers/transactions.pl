# Works with DBD::Pg as an application does; see target.Target.run.
use strict;
use warnings;
use DBI;

$| = 1;

sub check {
  my ($holds, $what) = @_;
  die "not so: $what\n" unless $holds;
}

sub shuffle {
  print "shuffle\n";
  <STDIN>;
}

sub value { my ($connection, $query) = @_; return ($connection->selectrow_array($query))[0]; }

my $source = "dbi:Pg:dbname=$ENV{PGDATABASE};host=$ENV{PGHOST};port=$ENV{PGPORT}";
my @common = ($ENV{PGUSER}, $ENV{PGPASSWORD}, {RaiseError => 1, PrintError => 0, AutoCommit => 1});
my ($one, $two) = map { DBI->connect($source, @common) } 1 .. 2;

# Named statements, dbdpg_pPID_1: both clients have the same names, with different texts.
my $sum = $one->prepare('select ?::int + 1000, pg_backend_pid()');
my $word = $two->prepare(q{select ?::text || ' of two'});
for my $number (0 .. 5) {
  $sum->execute($number);
  my ($got, $pid) = $sum->fetchrow_array;
  $sum->finish;
  check($got == $number + 1000, 'the sum is one\'s');
  print "pid $pid\n";
  shuffle();
  $word->execute("w$number");
  check(($word->fetchrow_array)[0] eq "w$number of two", 'the word is two\'s');
  $word->finish;
  shuffle();
}
undef $sum;  # DEALLOCATE by name
shuffle();
$word->execute('late');
check(($word->fetchrow_array)[0] eq 'late of two', 'two\'s statement is still there');
$word->finish;

# Transactions, an error, a savepoint.
my $insert = $one->prepare('insert into ledger values (?)');
for my $turn (0 .. 2) {
  $one->begin_work;
  $insert->execute("w$turn");
  $one->pg_savepoint('here');
  eval { $one->do('select 1/0'); 1 } and die 'a division by zero is an error';
  check($one->state eq '22012', 'the error is 22012');
  $one->pg_rollback_to('here');
  $insert->execute("x$turn");
  $one->commit;
  shuffle();
  $one->begin_work;
  $insert->execute('never');
  $one->rollback;
  shuffle();
}
check(value($one, 'select count(*) from ledger') == 6, 'six rows are committed');

# COPY.
$one->do('copy ledger from stdin');
$one->pg_putcopydata("copied\n") for 1 .. 1000;
$one->pg_putcopyend;
shuffle();
check(value($one, 'select count(*) from ledger') == 1006, '1000 rows are copied');

# The client's own settings and temporary table.
$one->do(q{set search_path = pg_catalog, public});
$one->do(q{create temporary table mine as select 'one'::text as word});
$two->do(q{create temporary table mine as select 'two'::text as word});
for (1 .. 3) {
  shuffle();
  check(value($one, 'show search_path') eq 'pg_catalog, public', 'one\'s path');
  check(value($two, 'show search_path') ne 'pg_catalog, public', 'two\'s path');
  check(value($one, 'select word from pg_temp.mine') eq 'one', 'one\'s table');
  check(value($two, 'select word from pg_temp.mine') eq 'two', 'two\'s table');
}
$_->do('drop table pg_temp.mine') for $one, $two;

# LISTEN.
$one->do('listen news');
shuffle();
$two->do(q{notify news, 'heard'});
my $bits = '';
vec($bits, $one->{pg_socket}, 1) = 1;
my $heard = $one->pg_notifies;  # it may be here already
check($heard || select($bits, undef, undef, 20), 'a notification comes');
$heard ||= $one->pg_notifies;
check($heard && $heard->[2] eq 'heard', 'the notification is heard');
$one->do('unlisten *');

$_->disconnect for $one, $two;
print "ok\n";
