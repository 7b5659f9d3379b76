/* The media clock's half of a call: PJMEDIA's put_frame and get_frame as plain copies between the
 * bridge's frames and ring memory that Python reads and writes. No interpreter, no lock, no allocation.
 *
 * A ring is a header of eight 64-bit words followed by int16 samples (sipagent/media/ring.py):
 *   0 capacity (samples)  1 written  2 read  3 underruns  4 overruns  5 ticks  6 last tick (ns)  7 flags
 * Positions count samples since the ring was made and never wrap.
 * A port's user pointer leads to three ring addresses: to the line, from the line, and what was played. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

enum { CAPACITY, WRITTEN, READ, UNDERRUNS, OVERRUNS, TICKS, LAST_TICK_NS, FLAGS, HEADER_WORDS };
enum { ACTIVE = 1, EXPECTING = 2 };
enum { FRAME_AUDIO = 1, USER_POINTER_OFFSET = 64 };
enum { FRAME_SAMPLES = 320 }; /* 20 ms at 16 kHz, sipagent/units.py */

/* pjmedia_frame (pjmedia/frame.h); the loader checks the port's layout, not this one, which PJSIP
 * has kept since 1.0 */
struct frame {
    int type;
    void *buf;
    size_t size;
    uint64_t timestamp;
    uint32_t bit_info;
};

struct rings {
    int64_t *to_line, *from_line, *played;
};

static int64_t load(const int64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static void store(int64_t *word, int64_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
static int16_t *samples_of(int64_t *ring) { return (int16_t *)(ring + HEADER_WORDS); }

static void stamp(int64_t *ring) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    store(&ring[LAST_TICK_NS], (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
    store(&ring[TICKS], ring[TICKS] + 1);
}

/* Append count samples (silence where pcm is NULL); an unread past is overwritten, the reader notices. */
static void append(int64_t *ring, const int16_t *pcm, int64_t count) {
    int64_t capacity = ring[CAPACITY], written = ring[WRITTEN], offset = written % capacity;
    int64_t first = count < capacity - offset ? count : capacity - offset;
    if (count > capacity) return;
    if (pcm) {
        memcpy(samples_of(ring) + offset, pcm, first * sizeof(int16_t));
        memcpy(samples_of(ring), pcm + first, (count - first) * sizeof(int16_t));
    } else {
        memset(samples_of(ring) + offset, 0, first * sizeof(int16_t));
        memset(samples_of(ring), 0, (count - first) * sizeof(int16_t));
    }
    store(&ring[WRITTEN], written + count);
    stamp(ring);
}

static int put_frame(char *port, struct frame *frame) {
    struct rings *rings = *(struct rings **)(port + USER_POINTER_OFFSET);
    int64_t *ring = rings->from_line;
    if (!(load(&ring[FLAGS]) & ACTIVE)) return 0;
    if (frame->type == FRAME_AUDIO && frame->size)
        append(ring, frame->buf, (int64_t)(frame->size / sizeof(int16_t)));
    else /* nobody transmits to us, but time passes */
        append(ring, NULL, FRAME_SAMPLES);
    return 0;
}

static int get_frame(char *port, struct frame *frame) {
    struct rings *rings = *(struct rings **)(port + USER_POINTER_OFFSET);
    int64_t *ring = rings->to_line;
    int64_t flags = load(&ring[FLAGS]), wanted = (int64_t)(frame->size / sizeof(int16_t));
    int64_t capacity = ring[CAPACITY], read = ring[READ], written = load(&ring[WRITTEN]);
    int64_t ready = written - read, count, first, offset;
    int16_t *out = frame->buf;
    frame->type = FRAME_AUDIO;
    if (!(flags & ACTIVE)) {
        memset(out, 0, wanted * sizeof(int16_t));
        return 0;
    }
    count = ready < 0 ? 0 : ready < wanted ? ready : wanted;
    offset = read % capacity;
    first = count < capacity - offset ? count : capacity - offset;
    memcpy(out, samples_of(ring) + offset, first * sizeof(int16_t));
    memcpy(out + first, samples_of(ring), (count - first) * sizeof(int16_t));
    memset(out + count, 0, (wanted - count) * sizeof(int16_t));
    if (count < wanted && (flags & EXPECTING)) store(&ring[UNDERRUNS], ring[UNDERRUNS] + 1);
    store(&ring[READ], read + count);
    stamp(ring);
    append(rings->played, out, wanted);
    return 0;
}

static PyObject *addresses(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    return Py_BuildValue("KK", (unsigned long long)(uintptr_t)put_frame, (unsigned long long)(uintptr_t)get_frame);
}

static PyMethodDef methods[] = {
    {"addresses", addresses, METH_NOARGS, "The addresses of put_frame and get_frame."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_bridge", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__bridge(void) { return PyModule_Create(&module); }
