//! When which endpoint is scraped: every one once per interval, spread evenly, none waiting for another.
//!
//! Owns the timetable, the number of requests in flight and the buffers that pages are read into. It does not know
//! what a page says: the caller's closure turns the bytes into something while the buffer is still lent, so a
//! thousand endpoints need no more page buffers than there are requests in flight. Nor does it know how a page is
//! reached: that is what [`Fetch`] is for.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::future::{Future, pending};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::clock::{self, Clock};
use crate::domain::Failure;

/// The shortest interval that is kept; anything below it would be an attack.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// A buffer that a page has made larger than this, in bytes, does not stay so.
const KEPT_BUFFER: usize = 1 << 20;

/// How many places an interval has. Beyond so many endpoints some share one: waking up once for ten costs a
/// third less than ten times for one (`benches/sweep.rs`), and a hundredth of a sweep is still no burst.
const PLACES: u32 = 100;

/// An endpoint that keeps costing a whole deadline is asked this many times less often at most.
const LONGEST_BACKOFF: u32 = 4;

/// A page that can be asked for again and again.
pub trait Fetch: Send + Sync + 'static {
    /// Reads one complete page into `buffer`, whose old contents are dropped; within a deadline and a size of its own.
    fn fetch(&self, buffer: &mut Vec<u8>) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// What changes in a set of endpoints while it is polled.
#[derive(Debug)]
pub enum Change<W> {
    /// One more, under a number that was never used before.
    Add(usize, W),
    /// This one is not asked any more. What is in flight still lands, and its attempt is still told.
    Remove(usize),
}

/// One finished attempt to read one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt<T> {
    /// Which one: its place in [`Poller::endpoints`], or the number that it was added under.
    pub endpoint: usize,
    /// When it was asked, in unix milliseconds by the poller's clock.
    pub sent_ms: i64,
    /// How long it took until the last byte or the failure, in milliseconds of this machine; decoding is not counted.
    pub took_ms: u64,
    /// What the page was turned into, or why there is nothing.
    pub body: Result<T, Failure>,
}

/// Scrapes many endpoints, each once per interval.
///
/// The first sweep starts at once and runs as fast as `concurrency` lets it, so that there is something to see. From
/// then on every endpoint has its own place in the interval, and the second scrape follows the first after half an
/// interval to one and a half. An endpoint is never asked while its last answer is awaited; a place that was missed is
/// dropped, not made up for.
///
/// An endpoint that timed out or sent too much costs a place for a whole deadline. Such endpoints share a quarter of
/// the places from then on, and are asked every one, two and at most four intervals, so that twenty hanging engines
/// neither keep the healthy ones waiting nor get their backlog filled. One page puts an endpoint back at once.
#[derive(Debug)]
pub struct Poller<W> {
    /// Where the pages are, from the beginning on.
    pub endpoints: Vec<W>,
    /// How long from one scrape of an endpoint to its next, by `clock`. Not under 10 ms of this machine.
    pub interval: Duration,
    /// The most requests in flight, all endpoints together. Not under 1.
    pub concurrency: usize,
    /// What dates the attempts and measures the interval.
    pub clock: Clock,
}

impl<W: Fetch> Poller<W> {
    /// Polls until the receiver of `sink` is gone; dropping the future stops at once and closes what is in flight.
    ///
    /// `decode` gets the endpoint's number and one complete page, and runs on the runtime's threads, so it must not
    /// block. A full `sink` holds requests back and drops nothing. Attempts of one endpoint arrive in order.
    ///
    /// # Panics
    ///
    /// Where `decode` does.
    pub async fn run<T, F>(self, decode: F, sink: Sender<Attempt<T>>)
    where
        T: Send + 'static,
        F: Fn(usize, &[u8]) -> Result<T, Failure> + Send + Sync + 'static,
    {
        self.drive(decode, None, sink).await;
    }

    /// As [`Self::run`], with endpoints that come and go.
    ///
    /// # Panics
    ///
    /// Where `decode` does.
    pub async fn follow<T, F>(self, decode: F, changes: Receiver<Change<W>>, sink: Sender<Attempt<T>>)
    where
        T: Send + 'static,
        F: Fn(usize, &[u8]) -> Result<T, Failure> + Send + Sync + 'static,
    {
        self.drive(decode, Some(changes), sink).await;
    }

    async fn drive<T, F>(self, decode: F, mut changes: Option<Receiver<Change<W>>>, sink: Sender<Attempt<T>>)
    where
        T: Send + 'static,
        F: Fn(usize, &[u8]) -> Result<T, Failure> + Send + Sync + 'static,
    {
        let start = clock::monotonic();
        let now = || clock::monotonic().saturating_duration_since(start);
        let mut timetable = Timetable::new(self.endpoints.len(), self.clock.real(self.interval), self.concurrency);
        let mut endpoints: Vec<Option<(usize, Arc<W>)>> =
            self.endpoints.into_iter().enumerate().map(|(number, way)| Some((number, Arc::new(way)))).collect();
        let mut seats: HashMap<usize, usize> = (0..endpoints.len()).map(|n| (n, n)).collect();
        let work = Arc::new(Work { clock: self.clock, decode, sink: sink.clone() });
        let mut flights = JoinSet::new();
        let mut buffers: Vec<Vec<u8>> = Vec::new();
        loop {
            while let Some(seat) = timetable.depart(now()) {
                let Some((number, way)) = endpoints[seat].clone() else { continue };
                let (work, buffer, sent) = (Arc::clone(&work), buffers.pop().unwrap_or_default(), now());
                flights.spawn(async move { work.attempt(number, seat, &*way, sent, buffer).await });
            }
            let next = timetable.next_departure();
            tokio::select! {
                () = sink.closed() => return,
                Some(landed) = flights.join_next() => match landed {
                    Ok(landed) => {
                        timetable.land(landed.seat, landed.sent, now(), landed.burdened);
                        buffers.push(landed.buffer);
                    }
                    Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                    // Only a runtime that shuts down cancels a flight.
                    Err(_) => return,
                },
                change = next_change(&mut changes) => match change {
                    Change::Add(number, way) => {
                        let seat = timetable.add(now());
                        endpoints.resize_with(endpoints.len().max(seat + 1), || None);
                        endpoints[seat] = Some((number, Arc::new(way)));
                        seats.insert(number, seat);
                    }
                    Change::Remove(number) => if let Some(seat) = seats.remove(&number) {
                        timetable.remove(seat);
                        endpoints[seat] = None;
                    }
                },
                () = sleep_until((start + next.unwrap_or_default()).into()), if next.is_some() => {}
            }
        }
    }
}

/// The next change; where nobody can tell of one any more, never.
async fn next_change<W>(changes: &mut Option<Receiver<Change<W>>>) -> Change<W> {
    let Some(receiver) = changes else { return pending().await };
    if let Some(change) = receiver.recv().await {
        return change;
    }
    *changes = None;
    pending().await
}

/// What every flight shares.
struct Work<T, F> {
    clock: Clock,
    decode: F,
    sink: Sender<Attempt<T>>,
}

/// What a flight brings home besides its attempt.
struct Landed {
    seat: usize,
    sent: Duration,
    burdened: bool,
    buffer: Vec<u8>,
}

impl<T, F> Work<T, F>
where
    F: Fn(usize, &[u8]) -> Result<T, Failure>,
{
    /// Fetches and decodes one page and hands the attempt over.
    async fn attempt(
        &self,
        endpoint: usize,
        place: usize,
        way: &impl Fetch,
        sent: Duration,
        mut buffer: Vec<u8>,
    ) -> Landed {
        let (sent_ms, start) = (self.clock.unix_ms(), clock::monotonic());
        let answer = way.fetch(&mut buffer).await;
        let took_ms = clock::ms_since(start);
        let burdened = matches!(answer, Err(Failure::TimedOut { .. } | Failure::TooLarge { .. }));
        let body = answer.and_then(|()| (self.decode)(endpoint, &buffer));
        buffer.clear();
        buffer.shrink_to(KEPT_BUFFER);
        // Without a receiver there is nobody to tell, and `drive` ends by itself.
        let _ = self.sink.send(Attempt { endpoint, sent_ms, took_ms, body }).await;
        Landed { seat: place, sent, burdened, buffer }
    }
}

/// Who may depart when. Times are durations since the start; it knows no clock.
///
/// An endpoint is either in flight or waits in one of two lanes, so it can never be in flight twice.
#[derive(Debug)]
struct Timetable {
    interval: Duration,
    /// Endpoints whose last attempt was no burden, earliest first.
    quick: Lane,
    /// Those that cost a whole deadline last time. They fly in places of the whole timetable too.
    slow: Lane,
    /// How often in a row the endpoint of each seat was a burden.
    burdens: Vec<u32>,
    /// What each seat holds.
    seats: Vec<Seat>,
    /// The places of the whole timetable.
    places: usize,
}

/// What a seat of the timetable holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seat {
    /// Nobody: the next who comes gets it.
    Free,
    /// An endpoint that waits.
    Waiting,
    /// An endpoint that is in flight.
    Flying,
    /// One in flight that will not fly again.
    Leaving,
}

/// A queue with a limit on how many of it are in flight.
#[derive(Debug, Default)]
struct Lane {
    waiting: BinaryHeap<Reverse<(Duration, usize)>>,
    flying: usize,
    places: usize,
}

impl Lane {
    /// When its first may depart, where it has a free place for it.
    fn next(&self) -> Option<Duration> {
        let &Reverse((at, _)) = self.waiting.peek()?;
        (self.flying < self.places).then_some(at)
    }

    /// Lets its first depart, if it may.
    fn depart(&mut self, now: Duration) -> Option<usize> {
        self.next().filter(|&at| at <= now)?;
        let Reverse((_, endpoint)) = self.waiting.pop()?;
        self.flying += 1;
        Some(endpoint)
    }
}

impl Timetable {
    /// Everybody is due at once, in order.
    fn new(endpoints: usize, interval: Duration, places: usize) -> Self {
        let places = places.max(1);
        let waiting = (0..endpoints).map(|endpoint| Reverse((Duration::ZERO, endpoint))).collect();
        Self {
            interval: interval.max(MIN_INTERVAL),
            quick: Lane { waiting, flying: 0, places },
            slow: Lane { places: (places / 4).max(1), ..Lane::default() },
            burdens: vec![0; endpoints],
            seats: vec![Seat::Waiting; endpoints],
            places,
        }
    }

    /// A seat for one more, who is due at once. The places of the others move a little.
    fn add(&mut self, now: Duration) -> usize {
        let seat = self.seats.iter().position(|s| *s == Seat::Free).unwrap_or_else(|| {
            self.seats.push(Seat::Free);
            self.burdens.push(0);
            self.seats.len() - 1
        });
        (self.seats[seat], self.burdens[seat]) = (Seat::Waiting, 0);
        self.quick.waiting.push(Reverse((now, seat)));
        seat
    }

    /// Whoever has this seat does not fly again; it is free at once, or as soon as the flight has landed.
    fn remove(&mut self, seat: usize) {
        match self.seats[seat] {
            Seat::Waiting => {
                let burdens = self.burdens[seat];
                self.lane(burdens).waiting.retain(|Reverse((_, waiting))| *waiting != seat);
                self.seats[seat] = Seat::Free;
            }
            Seat::Flying => self.seats[seat] = Seat::Leaving,
            Seat::Free | Seat::Leaving => {}
        }
    }

    /// The next endpoint that is due and has a place, which it takes.
    fn depart(&mut self, now: Duration) -> Option<usize> {
        if self.is_full() {
            return None;
        }
        let seat = self.quick.depart(now).or_else(|| self.slow.depart(now))?;
        self.seats[seat] = Seat::Flying;
        Some(seat)
    }

    /// When to look again; `None` until somebody lands.
    fn next_departure(&self) -> Option<Duration> {
        if self.is_full() {
            return None;
        }
        [self.quick.next(), self.slow.next()].into_iter().flatten().min()
    }

    /// Takes an endpoint back and gives it its next departure.
    fn land(&mut self, endpoint: usize, sent: Duration, now: Duration, burdened: bool) {
        let before = self.burdens[endpoint];
        self.lane(before).flying -= 1;
        if self.seats[endpoint] == Seat::Leaving {
            self.seats[endpoint] = Seat::Free;
            return;
        }
        self.seats[endpoint] = Seat::Waiting;
        let burdens = if burdened { before.saturating_add(1) } else { 0 };
        self.burdens[endpoint] = burdens;
        // Half an interval less than the gap that is meant, so that a late departure does not cost the next place.
        let halves = (2 << burdens.saturating_sub(1).min(LONGEST_BACKOFF.ilog2())) - 1;
        let earliest = now.max(sent + self.interval * halves / 2);
        let at = self.place_after(endpoint, earliest);
        self.lane(burdens).waiting.push(Reverse((at, endpoint)));
    }

    /// Where an endpoint waits and is counted that was a burden so many times in a row.
    fn lane(&mut self, burdens: u32) -> &mut Lane {
        if burdens == 0 { &mut self.quick } else { &mut self.slow }
    }

    /// The endpoint's own place in the interval, the first one not before `earliest`.
    fn place_after(&self, endpoint: usize, earliest: Duration) -> Duration {
        let share = endpoint.saturating_mul(PLACES as usize) / self.burdens.len().max(1);
        let offset = self.interval * u32::try_from(share).unwrap_or(0) / PLACES;
        let passed = earliest.saturating_sub(offset).as_nanos().div_ceil(self.interval.as_nanos());
        offset + self.interval * u32::try_from(passed).unwrap_or(u32::MAX)
    }

    fn is_full(&self) -> bool {
        self.quick.flying + self.slow.flying >= self.places
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Timetable;

    const SECOND: Duration = Duration::from_secs(1);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Everybody who may depart now.
    fn departures(timetable: &mut Timetable, now: Duration) -> Vec<usize> {
        std::iter::from_fn(|| timetable.depart(now)).collect()
    }

    #[test]
    fn the_first_sweep_is_due_at_once_and_bounded_by_the_places() {
        let mut timetable = Timetable::new(10, SECOND, 4);
        assert_eq!(timetable.next_departure(), Some(Duration::ZERO));
        assert_eq!(departures(&mut timetable, ms(0)), [0, 1, 2, 3]);
        assert_eq!(timetable.next_departure(), None, "until somebody lands");
        timetable.land(2, ms(0), ms(1), false);
        assert_eq!(departures(&mut timetable, ms(1)), [4]);
    }

    #[test]
    fn later_sweeps_are_spread_evenly_over_the_interval() {
        let mut timetable = Timetable::new(10, SECOND, 64);
        for endpoint in departures(&mut timetable, ms(0)) {
            timetable.land(endpoint, ms(0), ms(3), false);
        }
        // Those with a place in the first half wait for the next interval, so nobody is asked again too soon.
        let due: Vec<_> = (500..1500).step_by(100).map(ms).collect();
        for (&at, expected) in due.iter().zip([5, 6, 7, 8, 9, 0, 1, 2, 3, 4]) {
            assert_eq!(timetable.next_departure(), Some(at));
            assert_eq!(departures(&mut timetable, at), [expected]);
            timetable.land(expected, at, at + ms(20), false);
        }
        assert_eq!(timetable.next_departure(), Some(ms(1500)), "from then on each exactly an interval later");
    }

    #[test]
    fn a_thousand_endpoints_depart_in_a_hundred_small_groups() {
        let mut timetable = Timetable::new(1000, SECOND, 1000);
        for endpoint in departures(&mut timetable, ms(0)) {
            timetable.land(endpoint, ms(0), ms(9), false);
        }
        for at in (500..1500).step_by(10).map(ms) {
            assert_eq!(timetable.next_departure(), Some(at));
            assert_eq!(departures(&mut timetable, at).len(), 10);
        }
    }

    #[test]
    fn a_scrape_that_departs_a_little_late_keeps_its_place() {
        let mut timetable = Timetable::new(1, SECOND, 1);
        for (sent, next) in [(0, 1000), (1003, 2000), (2499, 3000), (3501, 5000)] {
            assert_eq!(departures(&mut timetable, ms(sent)), [0]);
            timetable.land(0, ms(sent), ms(sent + 2), false);
            assert_eq!(timetable.next_departure(), Some(ms(next)), "sent at {sent}");
        }
    }

    #[test]
    fn places_that_were_missed_are_dropped() {
        let mut timetable = Timetable::new(1, SECOND, 1);
        assert_eq!(departures(&mut timetable, ms(0)), [0]);
        assert!(departures(&mut timetable, ms(3000)).is_empty(), "still in flight");
        timetable.land(0, ms(0), ms(3200), false);
        assert_eq!(timetable.next_departure(), Some(ms(4000)));
    }

    #[test]
    fn an_endpoint_that_hangs_is_asked_less_often_and_at_once_again_when_it_answers() {
        let mut timetable = Timetable::new(1, SECOND, 1);
        let mut at = ms(0);
        let mut gaps = Vec::new();
        for burdened in [true, true, true, true, false, false, true] {
            assert_eq!(departures(&mut timetable, at), [0]);
            timetable.land(0, at, at + ms(400), burdened);
            let next = timetable.next_departure().expect("a departure");
            gaps.push(next.saturating_sub(at).as_secs());
            at = next;
        }
        assert_eq!(gaps, [1, 2, 4, 4, 1, 1, 1]);
    }

    #[test]
    fn hanging_endpoints_leave_most_places_to_the_others() {
        let mut timetable = Timetable::new(100, SECOND, 8);
        // The first 50 hang: known once they did it.
        let mut now = ms(0);
        while timetable.burdens[..50].contains(&0) || timetable.quick.waiting.len() < 50 {
            for endpoint in departures(&mut timetable, now) {
                timetable.land(endpoint, now, now, endpoint < 50);
            }
            now += ms(1);
        }
        let now = now + 20 * SECOND;
        let flying = departures(&mut timetable, now);
        assert_eq!(flying.len(), 8);
        assert!(flying.iter().all(|&endpoint| endpoint >= 50), "the quick ones go first: {flying:?}");
        for endpoint in flying {
            timetable.land(endpoint, now, now, false);
        }
        // With every quick one served, two of the eight places go to the slow ones and six stay free.
        let mut slow = 0;
        while let Some(endpoint) = timetable.depart(now) {
            if endpoint < 50 { slow += 1 } else { timetable.land(endpoint, now, now, false) }
        }
        assert_eq!((slow, timetable.quick.flying), (2, 0));
        assert!(timetable.next_departure().is_some_and(|at| at > now), "and the quick ones are still looked after");
    }

    #[test]
    fn one_who_comes_later_is_asked_at_once_and_then_like_all_others() {
        let mut timetable = Timetable::new(1, SECOND, 4);
        assert_eq!(departures(&mut timetable, ms(0)), [0]);
        timetable.land(0, ms(0), ms(3), false);
        assert_eq!(timetable.add(ms(300)), 1);
        assert_eq!(departures(&mut timetable, ms(300)), [1]);
        timetable.land(1, ms(300), ms(303), false);
        assert_eq!(departures(&mut timetable, ms(1000)), [0]);
        assert_eq!(timetable.next_departure(), Some(ms(1500)), "half an interval after the first");
    }

    #[test]
    fn one_who_leaves_does_not_fly_again_and_a_seat_in_flight_is_not_given_away() {
        let mut timetable = Timetable::new(3, SECOND, 4);
        assert_eq!(departures(&mut timetable, ms(0)), [0, 1, 2]);
        timetable.land(0, ms(0), ms(3), false);
        timetable.land(1, ms(0), ms(3), true);
        timetable.remove(0);
        timetable.remove(1);
        timetable.remove(2);
        assert_eq!(timetable.next_departure(), None);
        assert_eq!((timetable.add(ms(5)), timetable.add(ms(5)), timetable.add(ms(5))), (0, 1, 3));
        timetable.land(2, ms(0), ms(700), true);
        timetable.remove(2);
        assert_eq!(timetable.add(ms(800)), 2);
        assert_eq!(timetable.slow.flying + timetable.quick.flying, 0);
        let mut due = departures(&mut timetable, ms(800));
        due.sort_unstable();
        assert_eq!(due, [0, 1, 2, 3]);
    }

    #[test]
    fn no_endpoints_and_no_places_and_no_interval_do_no_harm() {
        assert_eq!(Timetable::new(0, SECOND, 1).next_departure(), None);
        let mut timetable = Timetable::new(1, Duration::ZERO, 0);
        assert_eq!(departures(&mut timetable, ms(0)), [0]);
        timetable.land(0, ms(0), ms(1), false);
        assert_eq!(timetable.next_departure(), Some(ms(10)));
    }
}
