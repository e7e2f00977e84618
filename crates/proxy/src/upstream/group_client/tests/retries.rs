//! Which requests are sent again, and where.

use super::*;

/// Reads a part of a request.
async fn for_a_while(stream: &mut TcpStream) {
    assert_ne!(stream.read(&mut [0; 10]).await.expect("a request"), 0);
}

/// As a target does that stops while another goes on: it breaks the idle connection when the request comes, and the new one, too.
#[tokio::test]
async fn a_get_goes_to_the_next_target_after_two_connections_of_one_broke() {
    let test = async {
        let (played, other, connections) = (Played::start().await, Played::start().await, connections());
        let mut settings = played.settings();
        settings.targets.extend(other.settings().targets);
        let client = played.client(settings, &connections);
        let (_, mut idle) = played.first(&client, OK).await;
        let stops = async {
            for_a_while(&mut idle).await;
            drop(idle);
            let (mut stream, _) = played.listener.accept().await.expect("a connection");
            for_a_while(&mut stream).await;
        };
        let goes_on = async {
            let (mut stream, _) = other.listener.accept().await.expect("a connection");
            serve(&mut stream, OK).await;
            serve(&mut stream, OK).await;
        };
        let user = async {
            get(&client).await.expect("an answer of the other, whose turn it is");
            get(&client).await.expect("an answer of the other, although it is the turn of the first");
        };
        tokio::join!(stops, goes_on, user);
    };
    Box::pin(LocalSet::new().run_until(test)).await;
}
