use super::*;

fn line_of(text: &str) -> Result<Parsed, Malformed> {
    parse(text.as_bytes(), ProxyProtocol::V1)
}

#[track_caller]
fn is_at(parsed: Result<Parsed, Malformed>, length: usize, address: &str) {
    let client = Client::At(address.parse().expect("an address"));
    assert_eq!(parsed, Ok(Parsed::Whole { length, client }));
}

fn v2(version_and_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
    [&SIGNATURE[..], &[version_and_command, family], &length, rest].concat()
}

/// 192.0.2.1 port 56324, to 198.51.100.1 port 443.
const V4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb];

fn v6(source: Ipv6Addr) -> Vec<u8> {
    [&source.octets()[..], &Ipv6Addr::LOCALHOST.octets(), &[0xdc, 0x04, 0x01, 0xbb]].concat()
}

#[test]
fn a_line_names_the_client() {
    is_at(line_of("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET"), 45, "192.0.2.1:56324");
    is_at(line_of("PROXY TCP6 2001:db8::1 ::1 0 443\r\n"), 34, "[2001:db8::1]:0");
    is_at(line_of("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), 37, "192.0.2.1:1");
    let unknown = |length| Ok(Parsed::Whole { length, client: Client::Unknown });
    assert_eq!(line_of("PROXY UNKNOWN\r\n"), unknown(15));
    assert_eq!(line_of("PROXY UNKNOWN 192.0.2.1 x y z\r\n"), unknown(31));
    let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(107 - 16));
    assert_eq!(line_of(&longest), unknown(107));
}

#[test]
fn g_13_a_line_has_one_spelling() {
    for text in [
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 1\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 nowhere 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 056324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 +1 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 -1\r\n",
        "PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY TCP6 fe80::1%1 ::1 1 2\r\n",
        "PROXY TCP4\t192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY \r\n",
        "PROXY  UNKNOWN\r\n",
        "proxy UNKNOWN\r\n",
        "PROXY\tUNKNOWN\r\n",
        "GET / HTTP/1.1\r\n",
        "\u{16}\u{3}\u{1}",
    ] {
        assert!(line_of(text).is_err(), "{text:?}: {:?}", line_of(text));
    }
    for length in [107, 108, 200] {
        assert_eq!(line_of(&format!("PROXY UNKNOWN {}", "x".repeat(length))), Err(Malformed::TooLong), "{length}");
    }
    assert!(line_of(&format!("PROXY UNKNOWN {}\r\n", "x".repeat(108 - 16))).is_err(), "108 bytes");
}

#[test]
fn version_2_names_the_client() {
    let parse = |bytes: &[u8]| parse(bytes, ProxyProtocol::V2);
    is_at(parse(&v2(0x21, 0x11, &V4)), 28, "192.0.2.1:56324");
    is_at(parse(&v2(0x21, 0x11, &[&V4[..], b"\x04\0\x03abc"].concat())), 34, "192.0.2.1:56324");
    is_at(parse(&v2(0x21, 0x21, &v6("2001:db8::1".parse().expect("one")))), 52, "[2001:db8::1]:56324");
    is_at(parse(&v2(0x21, 0x21, &v6("::ffff:192.0.2.1".parse().expect("one")))), 52, "192.0.2.1:56324");
    let is = |bytes: &[u8], client| assert_eq!(parse(bytes), Ok(Parsed::Whole { length: bytes.len(), client }));
    is(&v2(0x20, 0x00, &[]), Client::Proxy);
    is(&v2(0x20, 0x11, &V4), Client::Proxy);
    is(&v2(0x21, 0x00, &[]), Client::Unknown);
    is(&v2(0x21, 0x00, &[1; 4096]), Client::Unknown);
}

#[test]
fn g_13_version_2_is_read_as_its_lengths_say() {
    let parse = |bytes: &[u8]| parse(bytes, ProxyProtocol::Any);
    for (bytes, expected) in [
        (v2(0x21, 0x11, &V4[..11]), Malformed::Address),
        (v2(0x21, 0x21, &[0; 35]), Malformed::Address),
        (v2(0x21, 0x12, &V4), Malformed::Unsupported),
        (v2(0x21, 0x31, &[0; 216]), Malformed::Unsupported),
        (v2(0x21, 0x41, &V4), Malformed::Unsupported),
        (v2(0x11, 0x11, &V4), Malformed::Unsupported),
        (v2(0x22, 0x11, &V4), Malformed::Unsupported),
        (v2(0x21, 0x00, &[0; 4097]), Malformed::TooLong),
        // Refused before the rest has come.
        (v2(0x21, 0x11, &[0; 65_535])[..16].to_vec(), Malformed::TooLong),
    ] {
        assert_eq!(parse(&bytes), Err(expected), "{}", bytes[..16].escape_ascii());
    }
    let whole = v2(0x21, 0x11, &V4);
    for end in 0..whole.len() {
        assert_eq!(parse(&whole[..end]), Ok(Parsed::Partial), "{end}");
    }
}

#[test]
fn only_the_accepted_version_is_read() {
    let (one, two) = (b"PROXY UNKNOWN\r\n".to_vec(), v2(0x20, 0x00, &[]));
    for (accepted, reads_one, reads_two) in
        [(ProxyProtocol::V1, true, false), (ProxyProtocol::V2, false, true), (ProxyProtocol::Any, true, true)]
    {
        assert_eq!((parse(&one, accepted).is_ok(), parse(&two, accepted).is_ok()), (reads_one, reads_two));
    }
}

#[test]
fn an_unknown_client_is_never_the_proxy() {
    let proxy: SocketAddr = "10.0.0.1:1234".parse().expect("an address");
    assert_eq!(Client::Proxy.address(proxy), proxy);
    assert_eq!(Client::Unknown.address(proxy), "0.0.0.0:0".parse().expect("an address"));
}

#[tokio::test]
async fn nothing_behind_the_header_is_taken() {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::{TcpListener, TcpStream};

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let tlv = [&V4[..], &[0; 600]].concat();
    for header in [b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".to_vec(), v2(0x21, 0x11, &tlv)] {
        let mut proxy = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
        let mut socket = Socket::new(listener.accept().await.expect("accepts").0).expect("a socket");
        // Each beginning is waited for on its own.
        let (first, rest) = header.split_at(7);
        proxy.write_all(first).await.expect("writes");
        let reading = read(&mut socket, ProxyProtocol::Any);
        let writing = async {
            tokio::task::yield_now().await;
            proxy.write_all(rest).await.expect("writes");
            proxy.write_all(b"client").await.expect("writes");
            proxy.shutdown().await.expect("ends");
        };
        let (client, ()) = tokio::join!(reading, writing);
        assert_eq!(client.expect("a header"), Client::At("192.0.2.1:56324".parse().expect("an address")));
        let mut left = String::new();
        socket.read_to_string(&mut left).await.expect("reads");
        assert_eq!(left, "client");
    }
}
