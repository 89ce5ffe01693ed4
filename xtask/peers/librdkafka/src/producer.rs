//! The few functions of librdkafka's C API that a producer needs, without a copy or a lock of our own.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use peers_load::Latencies;
use rdkafka_sys as rd;

/// What delivery reports have told.
pub(crate) struct Reports {
    start: Instant,
    delivered: AtomicU64,
    failed: AtomicU64,
    latencies: Mutex<Latencies>,
}

impl Reports {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            start: Instant::now(),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            latencies: Mutex::new(Latencies::new()?),
        })
    }

    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Acquire)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Acquire)
    }

    pub(crate) fn into_latencies(self) -> Latencies {
        self.latencies.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a message carries to its report: when it was sent, or null.
    fn opaque(&self, is_sampled: bool) -> *mut c_void {
        if !is_sampled {
            return ptr::null_mut();
        }
        ptr::without_provenance_mut(self.start.elapsed().as_nanos() as usize)
    }

    fn on_delivery(&self, message: &rd::rd_kafka_message_t) {
        if message.err == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            self.delivered.fetch_add(1, Ordering::Release);
        } else {
            self.failed.fetch_add(1, Ordering::Release);
        }
        if !message._private.is_null() {
            let sent = self.start + Duration::from_nanos(message._private.addr() as u64);
            self.latencies.lock().unwrap_or_else(PoisonError::into_inner).add_since(sent);
        }
    }
}

/// Called once for each message, by whoever polls.
unsafe extern "C" fn on_delivery(
    _: *mut rd::rd_kafka_t,
    message: *const rd::rd_kafka_message_t,
    opaque: *mut c_void,
) {
    // SAFETY: the producer borrows the reports for as long as it lives, and shares them only.
    let reports = unsafe { &*opaque.cast::<Reports>() };
    // SAFETY: librdkafka keeps the message until this returns.
    reports.on_delivery(unsafe { &*message });
}

/// A producer and its one topic.
pub(crate) struct Producer<'a> {
    client: *mut rd::rd_kafka_t,
    topic: *mut rd::rd_kafka_topic_t,
    reports: &'a Reports,
}

// SAFETY: librdkafka's handles may be used from any thread, and by several at once; `Reports` is Sync.
unsafe impl Sync for Producer<'_> {}

impl<'a> Producer<'a> {
    pub(crate) fn new(
        properties: &[(&str, String)],
        topic: &str,
        reports: &'a Reports,
    ) -> Result<Self> {
        let mut why: [c_char; 512] = [0; 512];
        // SAFETY: no arguments.
        let conf = unsafe { rd::rd_kafka_conf_new() };
        for (name, value) in properties {
            let (name, value) = (CString::new(*name)?, CString::new(value.as_str())?);
            // SAFETY: all point to what is theirs, and `why` is as long as is said.
            let set = unsafe {
                let (name, value) = (name.as_ptr(), value.as_ptr());
                rd::rd_kafka_conf_set(conf, name, value, why.as_mut_ptr(), why.len())
            };
            ensure!(set == rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK, "{}", text(&why));
        }
        // SAFETY: the configuration is ours until the next call takes it.
        unsafe {
            rd::rd_kafka_conf_set_dr_msg_cb(conf, Some(on_delivery));
            rd::rd_kafka_conf_set_opaque(conf, ptr::from_ref(reports).cast_mut().cast());
        }
        let kind = rd::rd_kafka_type_t::RD_KAFKA_PRODUCER;
        // SAFETY: as above.
        let client = unsafe { rd::rd_kafka_new(kind, conf, why.as_mut_ptr(), why.len()) };
        ensure!(!client.is_null(), "{}", text(&why));
        let topic = CString::new(topic)?;
        // SAFETY: the client lives; null stands for the default configuration.
        let topic = unsafe { rd::rd_kafka_topic_new(client, topic.as_ptr(), ptr::null_mut()) };
        ensure!(!topic.is_null(), "not a topic");
        Ok(Self { client, topic, reports })
    }

    /// Queues a message; false if the queue is full.
    #[inline]
    pub(crate) fn produce(
        &self,
        key: Option<&[u8]>,
        value: &[u8],
        is_sampled: bool,
    ) -> Result<bool> {
        let (key, key_len) = key.map_or((ptr::null(), 0), |key| (key.as_ptr(), key.len()));
        // SAFETY: the topic lives; key and value are copied before this returns.
        let produced = unsafe {
            rd::rd_kafka_produce(
                self.topic,
                // Any partition: RD_KAFKA_PARTITION_UA, a macro that has no binding.
                -1,
                rd::RD_KAFKA_MSG_F_COPY,
                value.as_ptr().cast_mut().cast(),
                value.len(),
                key.cast(),
                key_len,
                self.reports.opaque(is_sampled),
            )
        };
        if produced == 0 {
            return Ok(true);
        }
        // SAFETY: no arguments.
        match unsafe { rd::rd_kafka_last_error() } {
            rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL => Ok(false),
            error => bail!("a message was refused: {}", error_text(error)),
        }
    }

    /// Has delivery reports made, and waits for the first one no longer than this.
    pub(crate) fn poll(&self, timeout: Duration) {
        // SAFETY: the client lives.
        unsafe { rd::rd_kafka_poll(self.client, timeout.as_millis() as i32) };
    }

    pub(crate) fn flush(&self, timeout: Duration) -> Result<()> {
        // SAFETY: the client lives.
        match unsafe { rd::rd_kafka_flush(self.client, timeout.as_millis() as i32) } {
            rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            error => bail!("not flushed: {}", error_text(error)),
        }
    }
}

impl Drop for Producer<'_> {
    fn drop(&mut self) {
        // SAFETY: nobody has them any more; no report comes after this.
        unsafe {
            rd::rd_kafka_topic_destroy(self.topic);
            rd::rd_kafka_destroy(self.client);
        }
    }
}

/// Of the library that is linked.
pub(crate) fn version() -> String {
    // SAFETY: a static string.
    unsafe { CStr::from_ptr(rd::rd_kafka_version_str()) }.to_string_lossy().into_owned()
}

fn error_text(error: rd::rd_kafka_resp_err_t) -> String {
    // SAFETY: a static string.
    unsafe { CStr::from_ptr(rd::rd_kafka_err2str(error)) }.to_string_lossy().into_owned()
}

fn text(buf: &[c_char]) -> String {
    let bytes = buf.iter().take_while(|byte| **byte != 0).map(|byte| byte.cast_unsigned());
    String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
}
