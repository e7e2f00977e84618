"""What every benchmark stands on: servers, certificates, a real login, load, and what the kernel counted.

    from harness import bench
    with bench.Bench(binary) as b:
        backend = b.start_backend()
        proxy = b.start_vestibule(b.vestibule_configuration(backend.port))
        cookie = b.sign_in(proxy)
        before = proxy.cpu_seconds()
        done = load.closed(load.HTTP1, proxy.url("/"), cookie, seconds=4)
        print((proxy.cpu_seconds() - before) * 1e6 / done.requests, proxy.memory())

Python's standard library only. Everything is on the loopback address and on free ports, in one temporary directory; what a
`Bench` started, it ends by process id when it is left, also on Ctrl-C.
"""
