//! What a Rust agent does with tokio-postgres: typed queries, pipelining, an error.

use tokio_postgres::NoTls;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = std::env::args().nth(1).ok_or("the host is missing")?;
    let config = format!("host={host} user=x dbname=x");
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await?;
    tokio::spawn(connection);
    let statement = client.prepare("select id from orders where id <= $1 order by id").await?;
    let rows = client.query(&statement, &[&500i32]).await?;
    println!("sum {}", rows.iter().map(|row| row.get::<_, i32>(0)).sum::<i32>());
    let (one, two, three) = tokio::try_join!(
        client.query_one(&statement, &[&1i32]),
        client.query_one("select 2", &[]),
        client.query_one("select 3", &[]),
    )?;
    println!("rows {}", [one, two, three].len());
    if let Err(error) = client.batch_execute("drop table orders").await {
        println!("refused {}", error.code().map_or("", |code| code.code()));
    }
    Ok(())
}
