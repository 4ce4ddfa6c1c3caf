// Hello from Node: worker threads, child processes, files, timers, streams, signals.
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { spawn, spawnSync, execSync, fork } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const zlib = require('zlib');

function sum(n) {
	let total = 0;
	for (let i = 0; i < n; i++)
		total += (i * i) % 7;
	return total;
}

async function main() {
	console.log('hello from', process.platform, process.arch);
	const sums = await Promise.all([...Array(4).keys()].map((i) => new Promise((resolve, reject) => {
		const worker = new Worker(__filename, { workerData: 100000 + i });
		worker.on('message', resolve);
		worker.on('error', reject);
	})));
	console.log('threads', sums.join(' '));
	const shared = new Int32Array(new SharedArrayBuffer(4));
	Atomics.add(shared, 0, 5);
	console.log('atomics', Atomics.load(shared, 0), Atomics.wait(shared, 0, 5, 20));

	const cat = spawn('cat', ['-n']);
	cat.stdin.end('one\ntwo\n');
	let text = '';
	for await (const chunk of cat.stdout)
		text += chunk;
	console.log(text.trimEnd());
	const sh = spawnSync('sh', ['-c', 'echo out; echo err >&2; exit 3']);
	console.log(sh.status, String(sh.stdout).trim(), String(sh.stderr).trim());
	console.log(String(execSync('seq 1 5 | paste -sd+')).trim());
	console.log(spawnSync('/nonexistent').error.code);
	const child = fork(__filename, ['child']);
	child.send({ value: 20 });
	console.log('message', await new Promise((resolve) => child.on('message', resolve)));
	console.log('exit', await new Promise((resolve) => child.on('exit', (code, signal) => resolve(`${code} ${signal}`))));
	const sleeper = spawn('sleep', ['100']);
	sleeper.kill();
	console.log('killed', await new Promise((resolve) => sleeper.on('exit', (code, signal) => resolve(`${code} ${signal}`))));

	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'node-'));
	await Promise.all([...Array(30).keys()].map((i) => fs.promises.writeFile(path.join(dir, `f${i}`), 'x'.repeat(i * 1000))));
	console.log('files', fs.readdirSync(dir).length, fs.statSync(path.join(dir, 'f29')).size);
	const packed = zlib.gzipSync(fs.readFileSync(path.join(dir, 'f29')));
	console.log('zlib', zlib.gunzipSync(packed).length);
	console.log('hash', crypto.createHash('sha256').update('ringfence').digest('hex').slice(0, 16));
	console.log('scrypt', crypto.scryptSync('a', 'b', 8).toString('hex'));
	await new Promise((resolve) => {
		const watcher = fs.watch(dir, (event, name) => { console.log('watch', event, name); watcher.close(); resolve(); });
		setTimeout(() => fs.writeFileSync(path.join(dir, 'new'), ''), 50);
	});

	const server = net.createServer((c) => c.on('data', (d) => c.end(`hello ${d}`)));
	await new Promise((resolve) => server.listen(path.join(dir, 'sock'), resolve));
	const client = net.connect(path.join(dir, 'sock'));
	client.write('socket');
	for await (const chunk of client)
		console.log(String(chunk));
	server.close();
	fs.rmSync(dir, { recursive: true });

	let ticks = 0;
	await new Promise((resolve) => { const t = setInterval(() => { if (++ticks === 5) { clearInterval(t); resolve(); } }, 5); });
	console.log('timer', ticks);
	await new Promise((resolve) => { process.once('SIGUSR2', resolve); process.kill(process.pid, 'SIGUSR2'); });
	console.log('signal');
	const blocks = [...Array(100)].map(() => Buffer.alloc(1 << 18, 1));
	console.log('memory', blocks.length);
	process.on('exit', (code) => console.log('bye', code));
	process.exitCode = 42;
}

if (!isMainThread) {
	parentPort.postMessage(sum(workerData));
} else if (process.argv[2] === 'child') {
	process.on('message', (m) => { process.send(m.value + 1); setTimeout(() => process.exit(9), 50); });
} else {
	main();
}
