// Works with pgjdbc as an application in transaction mode does; see target.Target.run.
// usage: java Prepared URL PREPARE_THRESHOLD

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.StringReader;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import org.postgresql.PGConnection;

public class Prepared {
  static final BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
  static final int TURNS = 8; // beyond the default threshold of 5

  static void check(boolean holds, String what) {
    if (!holds) throw new IllegalStateException("not so: " + what);
  }

  static void shuffle() throws Exception {
    System.out.println("shuffle");
    input.readLine();
  }

  static Connection connect(String[] arguments, String schema) throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("user", System.getenv("PGUSER"));
    properties.setProperty("password", System.getenv("PGPASSWORD"));
    properties.setProperty("sslmode", "disable");
    properties.setProperty("gssEncMode", "disable");
    properties.setProperty("currentSchema", schema);
    properties.setProperty("options", "-c statement_timeout=77s");
    if (!arguments[1].equals("default")) properties.setProperty("prepareThreshold", arguments[1]);
    return DriverManager.getConnection(arguments[0], properties);
  }

  static String text(Connection connection, String query) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(query)) {
      rows.next();
      return rows.getString(1);
    }
  }

  static void statements(Connection one, Connection two) throws Exception {
    // Both name their first statement S_1, with different texts.
    try (PreparedStatement sum = one.prepareStatement("select ? + 1000, pg_backend_pid()");
        PreparedStatement word = two.prepareStatement("select ? || ' of two', pg_backend_pid()")) {
      for (int number = 0; number < TURNS; number++) {
        sum.setInt(1, number);
        try (ResultSet rows = sum.executeQuery()) {
          rows.next();
          check(rows.getInt(1) == number + 1000, "the sum is one's");
          System.out.println("pid " + rows.getInt(2));
        }
        shuffle();
        word.setString(1, "w" + number);
        try (ResultSet rows = word.executeQuery()) {
          rows.next();
          check(rows.getString(1).equals("w" + number + " of two"), "the word is two's");
        }
        shuffle();
      }
    }
    for (int number = 0; number < 300; number++) { // more than the driver's cache of 256
      try (PreparedStatement many = one.prepareStatement("select ? + " + number)) {
        many.setInt(1, 1);
        try (ResultSet rows = many.executeQuery()) {
          rows.next();
          check(rows.getInt(1) == number + 1, "each of many statements is itself");
        }
      }
      if (number % 50 == 0) shuffle();
    }
  }

  static void batches(Connection one) throws Exception {
    one.setAutoCommit(false);
    for (int turn = 0; turn < 3; turn++) {
      try (PreparedStatement insert =
          one.prepareStatement("insert into public.ledger values (?)",
              Statement.RETURN_GENERATED_KEYS)) {
        for (int number = 0; number < 500; number++) {
          insert.setString(1, turn + "-" + number);
          insert.addBatch();
        }
        check(insert.executeBatch().length == 500, "a batch has 500 results");
      }
      one.commit();
      shuffle();
      try (PreparedStatement divide = one.prepareStatement("select 1 / ?")) {
        divide.setInt(1, 0);
        divide.executeQuery();
        check(false, "a division by zero is an error");
      } catch (SQLException error) {
        check("22012".equals(error.getSQLState()), "the error is 22012, not " + error);
        one.rollback();
      }
      shuffle();
      try (PreparedStatement select = one.prepareStatement("select word from public.ledger")) {
        select.setFetchSize(100); // a portal that is read in parts
        int seen = 0;
        try (ResultSet rows = select.executeQuery()) {
          while (rows.next()) seen++;
        }
        check(seen == (turn + 1) * 500, "the portal gives all rows, not " + seen);
      }
      one.commit();
    }
    one.setAutoCommit(true);
  }

  static void changedTable(Connection one, Connection two) throws Exception {
    try (Statement statement = two.createStatement()) {
      statement.execute("create table public.shape as select 1 as a");
    }
    try (PreparedStatement select = one.prepareStatement("select * from public.shape")) {
      for (int number = 0; number < TURNS; number++) {
        select.executeQuery().close();
        shuffle();
      }
      try (Statement statement = two.createStatement()) {
        statement.execute("alter table public.shape add b text default 'new'");
      }
      for (int number = 0; number < 3; number++) { // autosave=never, autocommit: prepared again
        try (ResultSet rows = select.executeQuery()) {
          rows.next();
          check(rows.getMetaData().getColumnCount() == 2, "the new column is there");
        }
        shuffle();
      }
    }
    try (Statement statement = two.createStatement()) {
      statement.execute("drop table public.shape");
    }
  }

  static void settings(Connection one, Connection two) throws Exception {
    one.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE); // for its session
    two.setReadOnly(true);
    for (int number = 0; number < TURNS; number++) {
      shuffle();
      check(text(one, "show transaction_isolation").equals("serializable"), "one is serializable");
      check(text(two, "show transaction_isolation").equals("read committed"), "two is not");
      check(text(one, "show search_path").equals("app_one"), "one's path");
      check(text(two, "show search_path").equals("app_two"), "two's path");
      check(text(two, "select word from here").equals("two"), "two's table");
      check(text(one, "select word from here").equals("one"), "one's table");
      check(text(one, "show statement_timeout").equals("77s"), "options are kept");
    }
    one.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
    two.setReadOnly(false);
    one.setSchema("public");
    shuffle();
    check(text(one, "select count(*) from pg_tables where tablename = 'ledger'").equals("1"),
        "the schema is set");
  }

  static void copiesAndNotifications(Connection one, Connection two) throws Exception {
    long copied = one.unwrap(PGConnection.class).getCopyAPI()
        .copyIn("copy public.ledger from stdin", new StringReader("copied\n".repeat(1000)));
    check(copied == 1000, "1000 rows are copied");
    try (Statement listen = one.createStatement()) {
      listen.execute("listen news");
    }
    shuffle();
    try (Statement notify = two.createStatement()) {
      notify.execute("notify news, 'heard'");
    }
    var heard = one.unwrap(PGConnection.class).getNotifications(20_000);
    check(heard != null && heard[0].getParameter().equals("heard"), "the notification comes");
    try (Statement unlisten = one.createStatement()) {
      unlisten.execute("unlisten *");
    }
  }

  public static void main(String[] arguments) throws Exception {
    try (Connection one = connect(arguments, "app_one");
        Connection two = connect(arguments, "app_two")) {
      statements(one, two);
      settings(one, two);
      batches(one);
      changedTable(one, two);
      copiesAndNotifications(one, two);
    }
    System.out.println("ok");
  }
}
