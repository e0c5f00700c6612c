/* The floor of the sweep benchmarks: moving-average crossovers of closing prices, as plain as C can say it.
 *
 * The same account as a sweep's: whole ticks, lots and quanta; the vote of a bar is filled at the next open; long with
 * everything or out, resized where the weight leaves the band; commission in ppm to the cent; final equity, fills,
 * fees and bars held, and the sums from which return, Sharpe, Sortino, drawdown, turnover and exposure follow.
 * It knows one strategy, one lot size of 1, no volume cap, no missing bar and no short position.
 *
 *     gcc -O3 -march=native -shared -fPIC -pthread floor.c -o floor.so
 */
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#define QUANTA 100000000.0
#define CENT 1000000

typedef struct {
    const int64_t *opens, *closes; /* (G, T) ticks */
    const double *prices;          /* (G, T) closes */
    int64_t *sums;                 /* (G, T + 1) */
    const int64_t *fast, *slow;    /* (K) */
    int64_t groups, bars, combinations, unit, ppm, cash;
    double band;
    int64_t *whole; /* (K, G, 4) final equity, fills, fees, bars held */
    double *real;   /* (K, G, 6) returns, squares, downside, drawdown, traded, area */
} Job;

static int64_t commission(int64_t notional, int64_t ppm) {
    int64_t fee = notional / 1000000 * ppm + notional % 1000000 * ppm / 1000000;
    return (fee + CENT / 2) / CENT * CENT;
}

static void run(const Job *job, int64_t k, int64_t g) {
    const int64_t T = job->bars, fast = job->fast[k], slow = job->slow[k], unit = job->unit;
    const int64_t *opens = job->opens + g * T, *closes = job->closes + g * T, *sums = job->sums + g * (T + 1);
    const double *prices = job->prices + g * T;
    const double band = job->band;
    int64_t cash = job->cash, equity = cash, lots = 0, order = 0, fills = 0, fees = 0, held = 0;
    double previous = (double)cash, peak = previous, traded = 0.0, area = 0.0;
    double returns = 0.0, squares = 0.0, downside = 0.0, drawdown = 0.0, exposure = -1.0;
    for (int64_t t = 0; t < T; t++) {
        int moved = lots != 0;
        if (order != 0) {
            int64_t size = order > 0 ? order : -order, notional = opens[t] * size * unit;
            int64_t fee = commission(notional, job->ppm);
            cash -= (order > 0 ? notional : -notional) + fee;
            lots += order;
            fees += fee;
            fills++;
            traded += (double)notional;
            order = 0;
            moved = 1;
        }
        if (moved) {
            held += lots != 0;
            equity = cash + lots * closes[t] * unit;
            double value = (double)equity, change = value / previous - 1.0, loss = change < 0.0 ? change : 0.0;
            previous = value;
            returns += change;
            squares += change * change;
            downside += loss * loss;
            if (value > peak)
                peak = value;
            else if (value < peak * (1.0 + drawdown))
                drawdown = value / peak - 1.0;
        }
        area += (double)equity;
        if (t + 1 < slow)
            continue;
        int64_t newest = sums[t + 1];
        int64_t above = (newest - sums[t + 1 - fast]) * slow, below = (newest - sums[t + 1 - slow]) * fast;
        if (above > below)
            exposure = 1.0;
        else if (above < below)
            exposure = 0.0;
        else if (exposure < 0.0)
            exposure = 0.0;
        if (exposure == 0.0) {
            order = -lots;
            continue;
        }
        double account = (double)equity / QUANTA;
        if (!(fabs(1.0 - (double)lots * prices[t] / account) < band))
            order = (int64_t)(account / prices[t]) - lots;
    }
    int64_t *whole = job->whole + 4 * (k * job->groups + g);
    double *real = job->real + 6 * (k * job->groups + g);
    whole[0] = equity, whole[1] = fills, whole[2] = fees, whole[3] = held;
    real[0] = returns, real[1] = squares, real[2] = downside, real[3] = drawdown, real[4] = traded, real[5] = area;
}

static void *work(void *argument) {
    const Job *job = argument;
    for (int64_t g = 0; g < job->groups; g++)
        for (int64_t k = 0; k < job->combinations; k++)
            run(job, k, g);
    return NULL;
}

/* Run all combinations on all symbols, the combinations split evenly over threads. Returns 0, or -1 without memory. */
int sweep(Job job, int64_t threads) {
    Job *jobs = malloc((size_t)threads * sizeof(Job));
    pthread_t *ids = malloc((size_t)threads * sizeof(pthread_t));
    if (!jobs || !ids)
        return -1;
    for (int64_t g = 0; g < job.groups; g++) {
        int64_t *sums = job.sums + g * (job.bars + 1);
        sums[0] = 0;
        for (int64_t t = 0; t < job.bars; t++)
            sums[t + 1] = sums[t] + job.closes[g * job.bars + t];
    }
    for (int64_t i = 0; i < threads; i++) {
        int64_t first = job.combinations * i / threads, last = job.combinations * (i + 1) / threads;
        jobs[i] = job;
        jobs[i].fast += first, jobs[i].slow += first, jobs[i].combinations = last - first;
        jobs[i].whole += 4 * first * job.groups, jobs[i].real += 6 * first * job.groups;
        if (i + 1 < threads)
            pthread_create(&ids[i], NULL, work, &jobs[i]);
    }
    work(&jobs[threads - 1]);
    for (int64_t i = 0; i + 1 < threads; i++)
        pthread_join(ids[i], NULL);
    free(jobs);
    free(ids);
    return 0;
}
