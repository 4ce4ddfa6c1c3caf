"""Worker processes with a pool, queues and shared memory."""
import multiprocessing as mp


def square(x):
    return x * x


def child(q, v, lock):
    for _ in range(50):
        with lock:
            v.value += 1
    q.put("done")


if __name__ == "__main__":
    with mp.Pool(3) as pool:
        print(sum(pool.map(square, range(100))))
    q, v, lock = mp.Queue(), mp.Value("i", 0, lock=False), mp.Lock()
    ps = [mp.Process(target=child, args=(q, v, lock)) for _ in range(3)]
    for p in ps:
        p.start()
    print([q.get() for _ in ps])
    for p in ps:
        p.join()
    print(v.value, [p.exitcode for p in ps])
