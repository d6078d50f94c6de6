/* A carrier that does nothing but answer, as fast as one core can: the peer of perf.session.
 *
 * usage: sink [receipts]      prints the port it listens on, serves one link, ends with it.
 * Binds and submits are answered with status 0; with "receipts" each submit is followed by one delivery receipt.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER = 16, IN = 1 << 20, OUT = 4 << 20 };
static unsigned char in[IN], out[OUT];
static size_t out_used;
static uint32_t receipt_sequence;

static uint32_t get32(const unsigned char *p) { return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }

static void put32(unsigned char *p, uint32_t v) { p[0] = v >> 24; p[1] = v >> 16; p[2] = v >> 8; p[3] = v; }

static void put_pdu(uint32_t id, uint32_t sequence, const void *body, size_t length) {
    unsigned char *p = out + out_used;
    put32(p, HEADER + length);
    put32(p + 4, id);
    put32(p + 8, 0);
    put32(p + 12, sequence);
    memcpy(p + HEADER, body, length);
    out_used += HEADER + length;
}

static void put_receipt(uint32_t number, const char *source, const char *destination) {
    unsigned char body[512], *p = body;
    char text[256];
    int length = snprintf(text, sizeof text,
                          "id:%08x sub:001 dlvrd:001 submit date:2601311200 done date:2601311201 stat:DELIVRD err:000 text:",
                          number);
    *p++ = 0;                                  /* service_type */
    *p++ = 1, *p++ = 1;                        /* the receipt's source is the subscriber */
    p = (unsigned char *)stpcpy((char *)p, destination) + 1;
    *p++ = 5, *p++ = 0;
    p = (unsigned char *)stpcpy((char *)p, source) + 1;
    *p++ = 4;                                  /* esm_class: delivery receipt */
    memset(p, 0, 8), p += 8;                   /* protocol_id ... sm_default_msg_id, two empty times among them */
    *p++ = (unsigned char)length;
    memcpy(p, text, length), p += length;
    receipt_sequence = receipt_sequence % 0x7FFFFFFF + 1;
    put_pdu(0x00000005, receipt_sequence, body, p - body);
}

static void answer_submit(const unsigned char *pdu, uint32_t number, int receipts) {
    char id[16];
    int length = snprintf(id, sizeof id, "%08x", number) + 1;
    put_pdu(0x80000004, get32(pdu + 12), id, length);
    if (receipts) {
        const char *source = (const char *)pdu + HEADER + strlen((const char *)pdu + HEADER) + 3;
        put_receipt(number, source, source + strlen(source) + 3);
    }
}

static void answer(const unsigned char *pdu, uint32_t *number, int receipts) {
    uint32_t id = get32(pdu + 4);
    if (id == 0x00000004) answer_submit(pdu, ++*number, receipts);
    else if (id == 0x00000015 || id == 0x00000006) put_pdu(id | 0x80000000, get32(pdu + 12), "", 0);
    else if (id == 1 || id == 2 || id == 9) put_pdu(id | 0x80000000, get32(pdu + 12), "sink", 5);
}

static int write_out(int link) {
    size_t done = 0;
    while (done < out_used) {
        ssize_t n = write(link, out + done, out_used - done);
        if (n <= 0) return 0;
        done += n;
    }
    out_used = 0;
    return 1;
}

static void serve(int link, int receipts) {
    size_t used = 0;
    uint32_t number = 0;
    ssize_t n;
    while ((n = read(link, in + used, IN - used)) > 0) {
        size_t at = 0;
        used += n;
        while (used - at >= HEADER && used - at >= get32(in + at)) {
            if (get32(in + at) < HEADER) return;
            answer(in + at, &number, receipts);
            at += get32(in + at);
            if (out_used > OUT / 2 && !write_out(link)) return;
        }
        memmove(in, in + at, used - at);
        used -= at;
        if (!write_out(link)) return;
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, link;
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1)) return perror("sink"), 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    link = accept(listener, NULL, NULL);
    setsockopt(link, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    serve(link, argc > 1 && !strcmp(argv[1], "receipts"));
    return 0;
}
