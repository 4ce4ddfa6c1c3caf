import java.io.*;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;

/** Hello from Java: threads, monitors, a child process, files, mapped files, timers, the collector. */
public class Hello {
	static long sum(int n) {
		long total = 0;
		for (int i = 0; i < n; i++)
			total += (long) i * i % 7;
		return total;
	}

	public static void main(String[] args) throws Exception {
		if (args.length > 0) {
			new BufferedReader(new InputStreamReader(System.in)).lines().forEach(l -> System.out.println("child says " + l.toUpperCase()));
			System.exit(7);
		}
		System.out.println("hello from " + System.getProperty("os.name") + " " + System.getProperty("os.arch"));
		List<Thread> threads = new ArrayList<>();
		long[] sums = new long[8];
		for (int i = 0; i < 8; i++) {
			int n = i;
			Thread t = new Thread(() -> sums[n] = sum(200000 + n));
			threads.add(t);
			t.start();
		}
		for (Thread t : threads)
			t.join();
		System.out.println("threads " + Arrays.toString(sums));

		ExecutorService pool = Executors.newFixedThreadPool(4);
		List<Future<Integer>> futures = new ArrayList<>();
		for (int i = 0; i < 200; i++) {
			int n = i;
			futures.add(pool.submit(() -> n * n));
		}
		int total = 0;
		for (Future<Integer> f : futures)
			total += f.get();
		pool.shutdown();
		System.out.println("pool " + total + " " + pool.awaitTermination(10, TimeUnit.SECONDS));

		Object monitor = new Object();
		int[] turn = {0};
		Thread other = new Thread(() -> {
			for (int i = 0; i < 200; i++)
				synchronized (monitor) {
					while (turn[0] != 1)
						try { monitor.wait(); } catch (InterruptedException e) { return; }
					turn[0] = 0;
					monitor.notifyAll();
				}
		});
		other.start();
		for (int i = 0; i < 200; i++)
			synchronized (monitor) {
				while (turn[0] != 0)
					monitor.wait();
				turn[0] = 1;
				monitor.notifyAll();
			}
		other.join();
		System.out.println("monitor done");

		Process child = new ProcessBuilder(System.getProperty("java.home") + "/bin/java", "-Xshare:auto", "-XX:TieredStopAtLevel=1",
			"-cp", System.getProperty("java.class.path"), "Hello", "child").start();
		try (Writer w = new OutputStreamWriter(child.getOutputStream())) {
			w.write("one\ntwo\n");
		}
		new BufferedReader(new InputStreamReader(child.getInputStream())).lines().forEach(System.out::println);
		System.out.println("status " + child.waitFor());
		Process sh = new ProcessBuilder("sh", "-c", "echo from sh; kill -TERM $$").redirectErrorStream(true).start();
		System.out.println(new String(sh.getInputStream().readAllBytes()).trim() + ", status " + sh.waitFor());
		try {
			new ProcessBuilder("/nonexistent").start();
		} catch (IOException e) {
			System.out.println(e.getMessage());
		}

		Path dir = Files.createTempDirectory("java");
		for (int i = 0; i < 20; i++)
			Files.writeString(dir.resolve("f" + i), "x".repeat(i * 1000));
		long size = 0;
		try (DirectoryStream<Path> list = Files.newDirectoryStream(dir)) {
			for (Path p : list)
				size += Files.size(p);
		}
		System.out.println("files " + size);
		try (FileChannel c = FileChannel.open(dir.resolve("f19"), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
			var map = c.map(FileChannel.MapMode.READ_WRITE, 0, 1 << 20);
			map.put(1 << 19, (byte) 'm');
			map.force();
			ByteBuffer b = ByteBuffer.allocate(1);
			c.read(b, 1 << 19);
			System.out.println("mapped " + (char) b.get(0) + " " + c.size());
		}
		try (var all = Files.walk(dir)) {
			all.sorted(Comparator.reverseOrder()).forEach(p -> p.toFile().delete());
		}
		System.out.println("deleted " + !Files.exists(dir));

		Pipe pipe = Pipe.open();
		new Thread(() -> {
			try { pipe.sink().write(ByteBuffer.wrap("through a pipe".getBytes())); } catch (IOException e) { }
		}).start();
		ByteBuffer b = ByteBuffer.allocate(100);
		int n = pipe.source().read(b);
		System.out.println(new String(b.array(), 0, n));

		ScheduledExecutorService timer = Executors.newScheduledThreadPool(1);
		CountDownLatch ticks = new CountDownLatch(5);
		timer.scheduleAtFixedRate(ticks::countDown, 5, 5, TimeUnit.MILLISECONDS);
		System.out.println("timer " + ticks.await(20, TimeUnit.SECONDS));
		timer.shutdownNow();

		List<byte[]> kept = new ArrayList<>();
		for (int i = 0; i < 400; i++) {
			byte[] block = new byte[1 << 18];
			if (i % 20 == 0)
				kept.add(block);
		}
		System.gc();
		System.out.println("memory " + kept.size());
		try {
			Object o = null;
			o.hashCode();
		} catch (NullPointerException e) {
			System.out.println("null caught");
		}
		Thread sleeper = new Thread(() -> {
			try { Thread.sleep(100000); } catch (InterruptedException e) { System.out.println("interrupted"); }
		});
		sleeper.start();
		sleeper.interrupt();
		sleeper.join();
		Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("bye")));
		System.exit(42);
	}
}
