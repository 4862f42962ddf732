//! An axum application on port 3000 with a push server inside, on port 8080: a form is posted to the application, which
//! publishes; browsers subscribe at the push server, and the application itself waits for the next order.
//!
//! ```text
//! cargo run --manifest-path examples/axum/Cargo.toml
//! curl -N -H 'Accept: text/event-stream' localhost:8080/channels/orders
//! curl -d '{"item":"tea"}' -H 'Content-Type: application/json' localhost:3000/orders
//! curl localhost:3000/orders/next
//! ```

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use tidings::{AsyncServer, Config, Denied, Error, Hooks, Message, Server};

type Refused = (StatusCode, String);

fn refused(error: Error) -> Refused {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, error.message().to_owned())
}

async fn order(State(news): State<AsyncServer>, Json(order): Json<Value>) -> Result<String, Refused> {
    let message = Message::of(&order).map_err(refused)?.event("order");
    let position = news.publish("orders", message).await.map_err(refused)?;
    Ok(position.to_string())
}

async fn next_order(State(news): State<AsyncServer>) -> Result<Json<Value>, Refused> {
    let mut orders = news.subscribe("orders").map_err(refused)?;
    let order = orders.next().await.ok_or((StatusCode::SERVICE_UNAVAILABLE, "the server stops".to_owned()))?;
    Ok(Json(order.json().map_err(refused)?))
}

fn application(news: AsyncServer) -> Router {
    Router::new().route("/orders", post(order)).route("/orders/next", get(next_order)).with_state(news)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Clients read; what is published comes from the application.
    let hooks = Hooks::default().on_write(|_| Err(Denied::new("post to the application")));
    let server = Server::start_with(Config::default(), hooks)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, application(server.asynchronous())).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Json, State, next_order, order};
    use serde_json::json;
    use tidings::{Config, Server};

    #[tokio::test]
    async fn an_order_reaches_those_who_wait_for_it() {
        let mut config = Config::default();
        config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
        let server = Server::start(config).expect("the server starts");
        let news = server.asynchronous();
        let waits = tokio::spawn(next_order(State(news.clone())));
        while news.subscribers("orders") == 0 {
            tokio::task::yield_now().await;
        }
        let position = order(State(news), Json(json!({"item": "tea"}))).await.expect("published");
        assert!(position.ends_with(":1"), "{position}");
        let Json(next) = waits.await.expect("no panic").expect("an order");
        assert_eq!(next, json!({"item": "tea"}));
    }
}
