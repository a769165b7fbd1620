// A service in as many ways as a suite can meet one: MODE says which.
import { createServer } from 'node:http';

const mode = process.env.MODE ?? 'good';
const started = Date.now();
console.log(`mode ${mode}, password ${process.env.ERP_PASSWORD ?? 'none'}`);
if (mode === 'crash') {
  for (let i = 1; i <= 30; i++) console.error(`line ${i}: no database \x1b[31mred\x1b[0m`);
  setTimeout(() => process.exit(3), 500);
}
const ready = () => mode === 'good' || (mode === 'late' && Date.now() - started > 1500);
process.on('SIGTERM', () => process.exit(0));
createServer((request, response) => {
  const fine = request.url === '/health/ready' && ready();
  response.writeHead(fine ? 200 : 503).end(fine ? 'ready' : 'cache is cold');
}).listen(3000);
