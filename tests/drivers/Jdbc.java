import java.sql.*;

/** What a Java agent does: prepared statements (run often enough for JDBC to name them), batches, metadata. */
public class Jdbc {
    /** Reads seven rows at a time, and leaves off after some. */
    private static int fetched(Connection connection, String sql, int most) throws SQLException {
        int count = 0;
        try (PreparedStatement cursor = connection.prepareStatement(sql)) {
            cursor.setFetchSize(7);
            try (ResultSet rows = cursor.executeQuery()) {
                while (count < most && rows.next()) {
                    count++;
                }
            }
        }
        return count;
    }

    public static void main(String[] args) throws Exception {
        String url = "jdbc:postgresql://" + args[0] + "/x?user=x&password=ignored";
        try (Connection connection = DriverManager.getConnection(url)) {
            int sum = 0;
            try (PreparedStatement statement = connection.prepareStatement("select ?::int")) {
                for (int i = 0; i < 100; i++) {
                    statement.setInt(1, i);
                    try (ResultSet rows = statement.executeQuery()) {
                        rows.next();
                        sum += rows.getInt(1);
                    }
                }
            }
            System.out.println("sum " + sum);
            connection.setAutoCommit(false);
            try (PreparedStatement batch =
                    connection.prepareStatement("update orders set total = ? where id = ?")) {
                for (int i = 1; i <= 10; i++) {
                    batch.setInt(1, i);
                    batch.setInt(2, i);
                    batch.addBatch();
                }
                System.out.println("batch " + batch.executeBatch().length);
            }
            connection.rollback();
            System.out.println("fetched " + fetched(connection, "select id from orders order by id", 500)
                    + " " + fetched(connection, "select id from orders order by id desc", 1));
            connection.rollback();
            StringBuilder names = new StringBuilder();
            try (ResultSet columns = connection.getMetaData().getColumns(null, "public", "orders", null)) {
                while (columns.next()) {
                    names.append(names.length() > 0 ? "," : "").append(columns.getString("COLUMN_NAME"));
                }
            }
            System.out.println("metadata " + names);
            connection.rollback();
            try (Statement statement = connection.createStatement()) {
                statement.execute("drop table orders");
            } catch (SQLException error) {
                System.out.println("refused " + error.getSQLState());
            }
        }
    }
}
