//! The events of a watch in which something goes wrong.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::{StreamExt, stream};

use crate::{
    fault::{Fault, Strike},
    proxy::status,
};

type Piece = Result<Bytes, std::io::Error>;

/// The events of a watch, as the fault lets them through.
pub fn of(body: Body, strike: Strike) -> impl futures::Stream<Item = Piece> + Send {
    let source = body.into_data_stream().boxed();
    let state = (source, Vec::new(), 0_u64, strike, false);
    stream::unfold(
        state,
        async |(mut source, mut rest, mut told, strike, over)| {
            if over {
                return None;
            }
            let line = next(&mut source, &mut rest).await?;
            told += 1;
            let (piece, over) = told_wrong(line, told, &strike).await;
            Some((piece, (source, rest, told, strike, over)))
        },
    )
}

type Source = stream::BoxStream<'static, Result<Bytes, axum::Error>>;

/// The next line of a watch. What has come of the one after it stays.
async fn next(source: &mut Source, rest: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        if let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let tail = rest.split_off(end + 1);
            return Some(std::mem::replace(rest, tail));
        }
        match source.next().await {
            Some(Ok(piece)) => rest.extend_from_slice(&piece),
            _ => return None,
        }
    }
}

/// One event, and whether the watch is over with it.
async fn told_wrong(line: Vec<u8>, told: u64, strike: &Strike) -> (Piece, bool) {
    match strike.fault {
        Fault::Breaks(after) if told > after => {
            strike.count();
            (Err(std::io::Error::other("broken off")), true)
        }
        Fault::Ends(after) if told > after => {
            strike.count();
            (Ok(Bytes::new()), true)
        }
        Fault::Expires(after) if told > after => {
            strike.count();
            let mut said = status(410, "Expired").to_string();
            said = format!("{{\"type\":\"ERROR\",\"object\":{said}}}\n");
            (Ok(said.into()), true)
        }
        Fault::Stalls(after, time) if told == after + 1 => {
            strike.count();
            tokio::time::sleep(time).await;
            (Ok(line.into()), false)
        }
        Fault::Repeats => {
            strike.count();
            (Ok([line.clone(), line].concat().into()), false)
        }
        Fault::Late(most) => {
            strike.count();
            let most = u64::try_from(most.as_millis()).unwrap_or(1).max(1);
            let roll = strike.roll.rotate_left(told as u32 % 64);
            tokio::time::sleep(Duration::from_millis(roll % most)).await;
            (Ok(line.into()), false)
        }
        _ => (Ok(line.into()), false),
    }
}
