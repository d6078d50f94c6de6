// A carrier made of node-smpp: takes binds, answers every submit_sm with an id, and sends a receipt for each that asks.
// With TLS_CERTIFICATE (a PEM file that holds the key too) it speaks TLS.  Prints its port when it listens; on SIGTERM it prints what it counted, as one line of JSON, and ends.
'use strict';

const fs = require('fs');
const smpp = require('smpp');

const counted = { binds: 0, unbinds: 0, submits: 0, distinct: 0, receipts: 0, receipts_answered: 0, refused: {}, errors: [] };
const texts = new Set();

function receiptOf(pdu, id) {
  return {
    source_addr: pdu.destination_addr,
    destination_addr: pdu.source_addr,
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:`,
    receipted_message_id: id,
    message_state: smpp.MESSAGE_STATE.DELIVERED,
  };
}

function receiptAnswered(response) {
  if (response.command_status === smpp.ESME_ROK) {
    counted.receipts_answered += 1;
  } else {
    counted.refused[response.command_status] = (counted.refused[response.command_status] || 0) + 1;
  }
}

function submitted(session, pdu) {
  counted.submits += 1;
  texts.add(pdu.short_message.message);
  const id = counted.submits.toString(16).padStart(8, '0');
  session.send(pdu.response({ message_id: id }));
  if (pdu.registered_delivery & 1) {
    counted.receipts += 1;
    session.deliver_sm(receiptOf(pdu, id), receiptAnswered);
  }
}

function serve(session) {
  session.on('bind_transceiver', (pdu) => {
    counted.binds += 1;
    session.send(pdu.response({ system_id: 'NODE' }));
  });
  session.on('submit_sm', (pdu) => submitted(session, pdu));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    counted.unbinds += 1;
    session.send(pdu.response());
    session.close();
  });
  session.on('error', (error) => counted.errors.push(String(error)));
}

const pem = process.env.TLS_CERTIFICATE && fs.readFileSync(process.env.TLS_CERTIFICATE);
const server = smpp.createServer(pem ? { key: pem, cert: pem } : {}, serve);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));

process.on('SIGTERM', () => {
  counted.distinct = texts.size;
  counted.some = [...texts].slice(0, 10);
  console.log(JSON.stringify(counted));
  process.exit(0);
});
