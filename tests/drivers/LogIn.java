// Logs in with pgjdbc, runs transactions as an application does, prints "ok".
// usage: java LogIn URL PREPARE_THRESHOLD

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;

public class LogIn {
  static void check(boolean holds, String what) {
    if (!holds) throw new IllegalStateException("not so: " + what);
  }

  static long count(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("select count(*) from ledger")) {
      rows.next();
      return rows.getLong(1);
    }
  }

  public static void main(String[] arguments) throws Exception {
    Properties properties = new Properties();
    properties.setProperty("user", System.getenv("PGUSER"));
    properties.setProperty("password", System.getenv("PGPASSWORD"));
    properties.setProperty("sslmode", "disable");
    properties.setProperty("gssEncMode", "disable");
    properties.setProperty("prepareThreshold", arguments[1]);
    try (Connection connection = DriverManager.getConnection(arguments[0], properties)) {
      connection.setAutoCommit(false);
      try (PreparedStatement insert = connection.prepareStatement("insert into ledger values (?)")) {
        for (int number = 0; number < 10; number++) {
          insert.setString(1, "w" + number);
          check(insert.executeUpdate() == 1, "one row is inserted");
        }
        for (int number = 10; number < 40; number++) {
          insert.setString(1, "w" + number);
          insert.addBatch();
        }
        check(insert.executeBatch().length == 30, "the batch has 30 results");
      }
      connection.commit();
      check(count(connection) == 40, "40 rows are committed");
      try (Statement statement = connection.createStatement()) {
        statement.execute("insert into ledger values ('never')");
        statement.execute("select 1/0");
        check(false, "a division by zero is an error");
      } catch (SQLException error) {
        check("22012".equals(error.getSQLState()), "the error is 22012, not " + error);
        connection.rollback();
      }
      check(count(connection) == 40, "the failed transaction is rolled back");
      try (PreparedStatement select = connection.prepareStatement("select generate_series(1, ?)")) {
        select.setFetchSize(50); // a portal that is read in parts
        select.setInt(1, 1000);
        int seen = 0;
        try (ResultSet rows = select.executeQuery()) {
          while (rows.next()) check(rows.getInt(1) == ++seen, "rows come in order");
        }
        check(seen == 1000, "1000 rows are read");
      }
      connection.commit();
    }
    System.out.println("ok");
  }
}
