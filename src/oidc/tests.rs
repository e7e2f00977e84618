use super::*;

#[test]
fn its_futures_may_run_on_the_control_runtime() {
    fn sendable<T: Send + 'static>(_: impl Fn(Arc<Client>) -> T) {}
    sendable(|client| async move {
        let _ = client.begin(unreachable()).await;
        let _ = client.finish(unreachable(), unreachable(), String::new()).await;
        let _ = client.refresh(unreachable()).await;
        let _ = client.logout_location(unreachable()).await;
    });
    fn unreachable<T>() -> T {
        unreachable!("never run")
    }
}
