//! `tidings demo`: invented prices and weather for a running server, so that there is something to look at.

use super::args::DemoArgs;
use super::server::comes_back;
use super::{Outcome, WAIT, explained, note};
use std::time::{Duration, Instant};
use tidings::client::{Backoff, Client, ClientError, Endpoint, Request};

/// How often the weather changes.
const WEATHER_EVERY: Duration = Duration::from_secs(2);
/// Symbols with their opening prices in cents.
const SYMBOLS: [(&str, i64); 6] =
    [("TIDE", 10_125), ("REEF", 4_210), ("GULL", 25_990), ("KELP", 860), ("BUOY", 13_370), ("FOAM", 5_555)];
/// Cities with a usual temperature in tenths of a degree Celsius.
const CITIES: [(&str, i64); 6] =
    [("東京", 164), ("Porto", 178), ("Reykjavík", 61), ("Kampala", 213), ("Montréal", 92), ("Auckland", 167)];
const SKIES: [&str; 5] = ["sunny", "cloudy", "rain", "fog", "wind"];

/// Publishes until Ctrl-C. Only a first connection that fails, or a refusal, ends it otherwise.
pub(crate) fn run(args: &DemoArgs) -> Outcome {
    let mut world = World::new();
    let mut backoff = Backoff::default();
    let endpoint = args.server.endpoint()?;
    let mut client = Client::connect(&endpoint, WAIT).map_err(|error| explained(&error))?;
    note(&format!("publishing to the channels prices and weather at {}; Ctrl-C stops", endpoint));
    loop {
        let connected = Instant::now();
        let error = publish(&mut client, &mut world, args.rate);
        backoff.stood(connected.elapsed());
        if !comes_back(&endpoint, &error) {
            return Err(explained(&error).into());
        }
        client = reconnect(&endpoint, error, &mut backoff)?;
        note("connected again");
    }
}

fn reconnect(endpoint: &Endpoint, mut error: ClientError, backoff: &mut Backoff) -> Result<Client, ClientError> {
    loop {
        let wait = backoff.next_wait();
        note(&format!("{error}; trying again in {:.1} s", wait.as_secs_f32()));
        std::thread::sleep(wait);
        error = match Client::connect(endpoint, WAIT) {
            Ok(client) => return Ok(client),
            Err(error) if error.is_temporary() => error,
            Err(error) => return Err(error),
        };
    }
}

/// Publishes at the rate until the connection fails.
fn publish(client: &mut Client, world: &mut World, rate: u32) -> ClientError {
    let every = Duration::from_secs(1) / rate;
    let (mut price_at, mut weather_at) = (Instant::now(), Instant::now());
    loop {
        let now = Instant::now();
        let mut requests = Vec::new();
        if now >= weather_at {
            requests.push(Request::post("weather", &world.weather()));
            weather_at = now + WEATHER_EVERY;
        }
        if now >= price_at {
            requests.push(Request::post("prices", &world.price()));
            // A slow server makes the demo slower, not bursty.
            price_at = (price_at + every).max(now);
        }
        for request in requests {
            if let Err(error) = client.ask(&request, WAIT) {
                return error;
            }
        }
        std::thread::sleep(price_at.min(weather_at).saturating_duration_since(Instant::now()));
    }
}

/// The state of the invented world: whole cents and tenths of degrees, so that the JSON is exact.
struct World {
    prices: [i64; SYMBOLS.len()],
    temperatures: [i64; CITIES.len()],
    turn: usize,
}

impl World {
    fn new() -> World {
        World { prices: SYMBOLS.map(|(_, opening)| opening), temperatures: CITIES.map(|(_, usual)| usual), turn: 0 }
    }

    /// The next price: each symbol in turn moves by up to half a percent. `change` is in percent of the opening.
    fn price(&mut self) -> String {
        let index = self.turn % SYMBOLS.len();
        self.turn += 1;
        let (symbol, opening) = SYMBOLS[index];
        let step = opening / 200 + 1;
        let price = self.prices[index] + rand::random_range(-step..=step);
        let price = price.clamp(opening / 2, opening * 2);
        self.prices[index] = price;
        let change = (price - opening) * 10_000 / opening;
        format!("{{\"symbol\":\"{symbol}\",\"price\":{},\"change\":{}}}", decimal(price, 2), decimal(change, 2))
    }

    /// The weather of one city, which wanders around what is usual there.
    fn weather(&mut self) -> String {
        let index = rand::random_range(0..CITIES.len());
        let (city, usual) = CITIES[index];
        let temperature = self.temperatures[index] + rand::random_range(-6..=6);
        self.temperatures[index] = temperature.clamp(usual - 80, usual + 80);
        let sky = SKIES[rand::random_range(0..SKIES.len())];
        format!("{{\"city\":\"{city}\",\"temp\":{},\"sky\":\"{sky}\"}}", decimal(self.temperatures[index], 1))
    }
}

/// A whole number of hundredths or tenths as a decimal number.
fn decimal(value: i64, places: u32) -> String {
    let factor = 10_u64.pow(places);
    let (sign, size) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
    let width = places as usize;
    format!("{sign}{}.{:0width$}", size / factor, size % factor)
}

#[cfg(test)]
mod tests {
    use super::{World, decimal};

    #[test]
    fn numbers_are_decimal_and_exact() {
        for (value, places, expected) in
            [(10_125, 2, "101.25"), (-40, 2, "-0.40"), (5, 1, "0.5"), (-7, 2, "-0.07"), (0, 2, "0.00")]
        {
            assert_eq!(decimal(value, places), expected);
        }
    }

    #[test]
    fn prices_and_weather_are_json_for_ever() {
        let mut world = World::new();
        for _ in 0..10_000 {
            for text in [world.price(), world.weather()] {
                let value: serde_json::Value = serde_json::from_str(&text).expect(&text);
                assert!(value.is_object());
            }
        }
    }
}
