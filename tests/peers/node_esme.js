// An ESME made of node-smpp: binds, sends the texts it is given, one of them in parts, and answers what it is sent.
// usage: node node_esme.js TEXT...   It ends when it has an answer and a receipt for each part and a subscriber's message.
'use strict';

const smpp = require('smpp');

const said = { answers: [], receipts: [], messages: [] };
const texts = process.argv.slice(2);
const parts = texts.flatMap((text) => partsOf(text));

function partsOf(text) {
  if (text.length <= 160) return [{ short_message: text }];
  const pieces = text.match(/.{1,153}/gs);
  return pieces.map((piece, index) => ({
    esm_class: 0x40,
    short_message: { udh: Buffer.from([5, 0, 3, 7, pieces.length, index + 1]), message: piece },
  }));
}

function finished() {
  return said.answers.length === parts.length && said.receipts.length === parts.length && said.messages.length > 0;
}

function look() {
  if (finished()) session.unbind(() => session.close());
}

const session = smpp.connect({ url: `smpp://${process.env.SMSC_HOST}:${process.env.SMSC_PORT}` }, () => {
  session.bind_transceiver({ system_id: 'node', password: 'secret' }, (bound) => {
    if (bound.command_status !== 0) throw new Error(`bind refused with ${bound.command_status}`);
    for (const part of parts) {
      const request = { source_addr: '60777', destination_addr: '447911123456', registered_delivery: 1, ...part };
      session.submit_sm(request, (answer) => {
        said.answers.push([answer.command_status, answer.message_id]);
        look();
      });
    }
  });
});
session.on('deliver_sm', (pdu) => {
  session.send(pdu.response());
  (pdu.esm_class & 0x04 ? said.receipts : said.messages).push(pdu.short_message.message);
  look();
});
session.on('close', () => console.log(JSON.stringify(said)));
