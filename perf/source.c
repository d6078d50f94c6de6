/* An ESME that does nothing but submit, as fast as one core can: what perf.simulator measures carriers with.
 *
 * usage: source PORT BINDS WINDOW SECONDS [receipts]
 * Binds as transceiver, keeps every window full, answers deliver_sm, and prints one line at the end:
 * seconds sent answered refused receipts
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { HEADER = 16, IN = 1 << 17, OUT = 1 << 18 };
struct link { int fd; int window, in_flight; uint32_t sequence; size_t in_used, out_used; unsigned char in[IN], out[OUT]; };
static long sent, answered, refused, receipts;
static unsigned char body[512];
static size_t body_length;
static int wants_receipts;

static uint32_t get32(const unsigned char *p) { return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }
static void put32(unsigned char *p, uint32_t v) { p[0] = v >> 24; p[1] = v >> 16; p[2] = v >> 8; p[3] = v; }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void put_pdu(struct link *l, uint32_t id, uint32_t sequence, const void *octets, size_t length) {
    unsigned char *p = l->out + l->out_used;
    put32(p, HEADER + length);
    put32(p + 4, id);
    put32(p + 8, 0);
    put32(p + 12, sequence);
    memcpy(p + HEADER, octets, length);
    l->out_used += HEADER + length;
}

static void make_body(void) {
    static const char text[] = "Your code is 482913. It is good for five minutes; do not pass it on to anybody.";
    unsigned char *p = body;
    *p++ = 0;
    *p++ = 5, *p++ = 0, p = (unsigned char *)stpcpy((char *)p, "Carrierline") + 1;
    *p++ = 1, *p++ = 1, p = (unsigned char *)stpcpy((char *)p, "447911100000") + 1;
    memset(p, 0, 5), p += 5;                       /* esm_class, protocol_id, priority_flag, two empty times */
    *p++ = wants_receipts, *p++ = 0, *p++ = 0, *p++ = 0;
    *p++ = sizeof text - 1;
    memcpy(p, text, sizeof text - 1);
    body_length = p + sizeof text - 1 - body;
}

static void fill(struct link *l) {
    while (l->in_flight < l->window && l->out_used + 1024 < OUT) {
        l->sequence = l->sequence % 0x7FFFFFFF + 1;
        put_pdu(l, 4, l->sequence, body, body_length);
        l->in_flight++, sent++;
    }
}

static void take(struct link *l, const unsigned char *pdu) {
    uint32_t id = get32(pdu + 4);
    if (id == 0x80000004) {
        l->in_flight--, answered++;
        refused += get32(pdu + 8) != 0;
    } else if (id == 5 || id == 0x103) {
        receipts++;
        put_pdu(l, id | 0x80000000, get32(pdu + 12), "", 1);
    } else if (id == 0x15) {
        put_pdu(l, 0x80000015, get32(pdu + 12), "", 0);
    }
}

static int flush(struct link *l) {
    size_t done = 0;
    while (done < l->out_used) {
        ssize_t n = write(l->fd, l->out + done, l->out_used - done);
        if (n <= 0) return 0;
        done += n;
    }
    l->out_used = 0;
    return 1;
}

static int serve(struct link *l) {
    size_t at = 0;
    ssize_t n = read(l->fd, l->in + l->in_used, IN - l->in_used);
    if (n <= 0) return 0;
    l->in_used += n;
    while (l->in_used - at >= HEADER && l->in_used - at >= get32(l->in + at)) {
        take(l, l->in + at);
        at += get32(l->in + at);
    }
    memmove(l->in, l->in + at, l->in_used -= at);
    fill(l);
    return flush(l);
}

static struct link *open_link(int port, int window) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct link *l = calloc(1, sizeof *l);
    int one = 1;
    static const unsigned char bind[] = "acme\0secret\0\0\x34\0\0";
    l->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(l->fd, (struct sockaddr *)&address, sizeof address)) return perror("source: connect"), NULL;
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    put_pdu(l, 9, 1, bind, sizeof bind);
    l->sequence = 1;
    if (!flush(l)) return NULL;
    while (l->in_used < HEADER || l->in_used < get32(l->in)) {
        ssize_t n = read(l->fd, l->in + l->in_used, IN - l->in_used);
        if (n <= 0) return fprintf(stderr, "source: the carrier closed the link\n"), NULL;
        l->in_used += n;
    }
    if (get32(l->in + 8)) return fprintf(stderr, "source: bind refused with %u\n", get32(l->in + 8)), NULL;
    l->in_used = 0;                                /* nothing else comes before the first submit */
    l->window = window;
    return l;
}

int main(int argc, char **argv) {
    int port = atoi(argv[1]), binds = atoi(argv[2]), window = atoi(argv[3]);
    double seconds = atof(argv[4]), begun;
    struct epoll_event event, events[64];
    int poll = epoll_create1(0), ready;
    struct link **links = calloc(binds, sizeof *links);
    wants_receipts = argc > 5;
    make_body();
    for (int i = 0; i < binds; i++) {
        struct link *l = open_link(port, window);
        if (!l) return 1;
        event.events = EPOLLIN, event.data.ptr = l;
        epoll_ctl(poll, EPOLL_CTL_ADD, l->fd, &event);
        links[i] = l;
    }
    begun = now();
    for (int i = 0; i < binds; i++) {
        fill(links[i]);
        if (!flush(links[i])) return 1;
    }
    for (;;) {
        double passed = now() - begun;
        if (passed >= seconds) {
            printf("%.6f %ld %ld %ld %ld\n", passed, sent, answered, refused, receipts);
            return 0;
        }
        ready = epoll_wait(poll, events, 64, 100);
        for (int i = 0; i < ready; i++)
            if (!serve(events[i].data.ptr)) return fprintf(stderr, "source: a link broke\n"), 1;
    }
}
