// SPDX-License-Identifier: Apache-2.0
//
// Latency and bandwidth between the first two ranks of an MPI job, and a sum over all of them.
//
//     pingpong [-b BATCHES] [BYTES]...     of at most 64 MiB
//
// A line for each size: bytes, half of a round trip in microseconds, megabytes a second. A message is
// checked when it has come back. The times are those of the best of some batches, 25 unless told: whatever
// else a machine does can only make them longer.

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 64 << 20 };

static int batches = 25;

/// The seconds of half a round trip, on the first rank.
static double bounce(int rank, char *message, char *copy, int size) {
    const int rounds = size <= 1024 ? 2000 : size <= 1 << 17 ? 400 : 20;
    double best = 0;
    for (int batch = -1; batch < batches; batch++) {   // the first one is for warming up
        MPI_Sendrecv(NULL, 0, MPI_CHAR, 1 - rank, 1, NULL, 0, MPI_CHAR, 1 - rank, 1, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        const double begun = MPI_Wtime();
        for (int round = 0; round < rounds; round++) {
            if (rank == 0)
                MPI_Send(message, size, MPI_CHAR, 1, 0, MPI_COMM_WORLD);
            MPI_Recv(copy, size, MPI_CHAR, 1 - rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            if (rank == 1)
                MPI_Send(copy, size, MPI_CHAR, 0, 0, MPI_COMM_WORLD);
        }
        const double time = (MPI_Wtime() - begun) / rounds / 2;
        if (batch == 0 || (batch > 0 && time < best))
            best = time;
    }
    return best;
}

static void measure(int rank, int size) {
    static char message[LARGEST], copy[LARGEST];
    if (size < 1 || size > LARGEST)
        MPI_Abort(MPI_COMM_WORLD, 1);
    memset(copy, 0, (size_t)size);
    for (int i = 0; i < size; i++)
        message[i] = (char)(i * 31 + size);
    const double time = bounce(rank, message, copy, size);
    if (memcmp(message, copy, (size_t)size) != 0) {
        fprintf(stderr, "rank %d: a message of %d bytes came back changed\n", rank, size);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    if (rank == 0)
        printf("%8d %10.3f %10.1f\n", size, time * 1e6, size / time / 1e6);
}

int main(int argc, char **argv) {
    int rank, ranks, sum = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);   // a job script may look on
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    const int own = rank + 1;
    MPI_Allreduce(&own, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (sum != ranks * (ranks + 1) / 2)
        MPI_Abort(MPI_COMM_WORLD, 1);
    if (rank == 0)
        printf("%d ranks, sum %d\n", ranks, sum);
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "-b") == 0) {
        batches = atoi(argv[2]);
        first = 3;
    }
    for (int i = first; i < argc; i++) {
        if (rank < 2 && ranks > 1)
            measure(rank, atoi(argv[i]));
        MPI_Barrier(MPI_COMM_WORLD);
    }
    MPI_Finalize();
    return 0;
}
