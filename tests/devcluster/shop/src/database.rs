//! The shop's one table. Each use connects anew, so that nothing keeps an idle database awake.

use anyhow::{Context, Result};
use tokio_postgres::{Client, NoTls};

/// Makes the table, and a first order where there is none.
pub(crate) async fn migrate() -> Result<()> {
    let statements = "
        CREATE TABLE IF NOT EXISTS orders (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            source text NOT NULL,
            taken timestamptz NOT NULL DEFAULT now()
        );
        INSERT INTO orders (source) SELECT 'migrate' WHERE NOT EXISTS (SELECT FROM orders);";
    connect()
        .await?
        .batch_execute(statements)
        .await
        .context("cannot make the table")
}

/// Takes an order and returns its number.
pub(crate) async fn order(source: &str) -> Result<i64> {
    let row = connect()
        .await?
        .query_one(
            "INSERT INTO orders (source) VALUES ($1) RETURNING id",
            &[&source],
        )
        .await?;
    Ok(row.get(0))
}

/// How many orders there are, and what the newest one says.
pub(crate) async fn newest() -> Result<(i64, String)> {
    let newest = "SELECT count(*), coalesce(max(id) || ' from ' || (array_agg(source ORDER BY id DESC))[1], 'none') FROM orders";
    let row = connect().await?.query_one(newest, &[]).await?;
    Ok((row.get(0), row.get(1)))
}

/// Removes all orders but the newest hundred and returns how many went.
pub(crate) async fn cleanup() -> Result<u64> {
    let old =
        "DELETE FROM orders WHERE id NOT IN (SELECT id FROM orders ORDER BY id DESC LIMIT 100)";
    Ok(connect().await?.execute(old, &[]).await?)
}

async fn connect() -> Result<Client> {
    let dsn = std::env::var("DEFAULT_DATABASE_DSN").context("DEFAULT_DATABASE_DSN is not set")?;
    // The error of a bad address may repeat the password in it.
    let config: tokio_postgres::Config = dsn
        .parse()
        .ok()
        .context("DEFAULT_DATABASE_DSN is no address of a database")?;
    let (client, connection) = config
        .connect(NoTls)
        .await
        .context("cannot reach the database")?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("the database hung up: {error}");
        }
    });
    Ok(client)
}
