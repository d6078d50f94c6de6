// A carrier made of node-smpp: takes binds and answers, nothing else; prints its port.  For perf.simulator --node FOLDER.
'use strict';

const { createRequire } = require('module');
const smpp = createRequire(process.cwd() + '/')('smpp');

let count = 0;
const server = smpp.createServer({}, (session) => {
  session.on('bind_transceiver', (pdu) => session.send(pdu.response()));
  session.on('submit_sm', (pdu) => session.send(pdu.response({ message_id: (++count).toString(16).padStart(8, '0') })));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('error', () => {});
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
