"""Threads that share a counter and hand items through a queue."""
import queue
import threading

lock = threading.Lock()
count = 0
items = queue.Queue()


def add():
    global count
    for i in range(500):
        with lock:
            count += 1
    items.put(threading.current_thread().name)


threads = [threading.Thread(target=add, name=f"t{i}") for i in range(20)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(count, sorted(items.get() for _ in threads)[:3])
event = threading.Event()
timer = threading.Timer(0.05, event.set)
timer.start()
print(event.wait(5), event.is_set())
