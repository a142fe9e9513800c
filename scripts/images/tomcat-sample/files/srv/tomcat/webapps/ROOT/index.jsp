<%@ page contentType="text/html; charset=UTF-8" session="false" %>
<%@ page import="java.sql.*" %>
<%!
  private static String env(String name, String otherwise) {
    String value = System.getenv(name);
    return value == null || value.isEmpty() ? otherwise : value;
  }

  private static String escape(String text) {
    return text == null ? "" : text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
  }

  private static Connection connect(String host) throws Exception {
    Class.forName("org.mariadb.jdbc.Driver");
    String url = "jdbc:mariadb://" + host + ":" + env("MYSQL_SERVICE_PORT", "3306") + "/"
        + "?connectTimeout=3000&socketTimeout=5000";
    return DriverManager.getConnection(url, env("MYSQL_USER", "root"), env("MYSQL_ROOT_PASSWORD", ""));
  }

  private static void prepare(Connection connection) throws Exception {
    try (Statement statement = connection.createStatement()) {
      statement.execute("CREATE DATABASE IF NOT EXISTS sample");
      statement.execute("CREATE TABLE IF NOT EXISTS sample.visits (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
          + "at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, pod VARCHAR(255) NOT NULL, visitor VARCHAR(64) NOT NULL)");
    }
  }
%>
<%
  String pod = env("HOSTNAME", "unknown");
  // The database is found in both ways: the visit is written by its name, and read by its address.
  String host = env("MYSQL_DNS_NAME", "mysql");
  String address = env("MYSQL_SERVICE_HOST", "");
  StringBuilder rows = new StringBuilder();
  String problem = null;
  long total = 0;
  try {
    if (address.isEmpty()) throw new IllegalStateException("MYSQL_SERVICE_HOST is not set");
    try (Connection connection = connect(host)) {
      prepare(connection);
      try (PreparedStatement insert =
          connection.prepareStatement("INSERT INTO sample.visits (pod, visitor) VALUES (?, ?)")) {
        insert.setString(1, pod);
        insert.setString(2, request.getRemoteAddr());
        insert.executeUpdate();
      }
    }
    try (Connection connection = connect(address); Statement statement = connection.createStatement()) {
      try (ResultSet count = statement.executeQuery("SELECT COUNT(*) FROM sample.visits")) {
        if (count.next()) total = count.getLong(1);
      }
      try (ResultSet row =
          statement.executeQuery("SELECT id, at, pod, visitor FROM sample.visits ORDER BY id DESC LIMIT 10")) {
        while (row.next()) {
          rows.append("<tr><td>").append(row.getLong(1)).append("</td><td>").append(escape(row.getString(2)))
              .append("</td><td>").append(escape(row.getString(3))).append("</td><td>").append(escape(row.getString(4)))
              .append("</td></tr>\n");
        }
      }
    }
  } catch (Exception e) {
    problem = e.getMessage();
    response.setStatus(503);
  }
%>
<!DOCTYPE html>
<html lang="en">
<head><title>Visits</title></head>
<body>
<h1>Visits</h1>
<p>Answered by pod: <b><%= escape(pod) %></b></p>
<p>Database by DNS: <b><%= escape(host) %></b>, written to; MYSQL_SERVICE_HOST: <b><%= escape(address) %></b>, read from;
MYSQL_SERVICE_PORT: <b><%= escape(env("MYSQL_SERVICE_PORT", "not set")) %></b></p>
<% if (problem != null) { %>
<p>Database error: <%= escape(problem) %></p>
<% } else { %>
<p>Visits so far: <b><%= total %></b></p>
<table border="1">
<tr><th>id</th><th>time</th><th>pod</th><th>visitor</th></tr>
<%= rows %></table>
<% } %>
</body>
</html>
