//! The vDSO in frames, and its page of clocks kept up to date.
use abi::{Errno, PAGE_SIZE};
use alloc::sync::Arc;
use alloc::vec::Vec;
use arch::features::{self, Feature};
use memory::Frame;
use memory::frame::Use;
use mm::Special;
use sync::{InterruptsOff, Once, Rank, SpinLock};
use task::image::SharedPages;
use time::Clock;
use vdso_image::{CPU_SOURCE_RDPID, CPU_SOURCE_SEGMENT, Contents, IMAGE, IMAGE_PAGES, Publisher, Store, VVAR_PAGES};

/// The page of clocks, and who says what to store there.
struct ClockPage {
    frame: Frame,
    publisher: SpinLock<Publisher, InterruptsOff>,
}

static CLOCKS: Once<ClockPage> = Once::new();

/// Gives every program from now on a vDSO. Process context.
///
/// # Errors
/// ENOMEM.
pub fn start() -> Result<(), Errno> {
    let zeroed = || Frame::allocate_zeroed_for(Use::Kernel).ok_or(Errno::ENOMEM);
    let mut data = frames(VVAR_PAGES)?;
    for _ in 0..VVAR_PAGES {
        data.push(zeroed()?);
    }
    let first = data[0].clone();
    let mut code = frames(IMAGE_PAGES)?;
    for page in IMAGE.chunks(PAGE_SIZE) {
        let frame = zeroed()?;
        frame.write(0, page);
        code.push(frame);
    }
    let _ = CLOCKS.set(ClockPage { frame: first, publisher: SpinLock::new(Rank::ClockPage, Publisher::new()) });
    scheduler::publish_clock_to(publish);
    task::image::set_shared_pages(SharedPages {
        data: Arc::new(Special { name: "[vvar]", frames: data }),
        code: Arc::new(Special { name: "[vdso]", frames: code }),
    });
    Ok(())
}

fn frames(count: usize) -> Result<Vec<Frame>, Errno> {
    let mut frames = Vec::new();
    frames.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    Ok(frames)
}

fn publish(clock: &Clock) {
    let Some(page) = CLOCKS.get() else { return };
    let cpu_source = if features::has(Feature::Rdpid) { CPU_SOURCE_RDPID } else { CPU_SOURCE_SEGMENT };
    let contents = Contents { clock: Some(*clock), cpu_source, time_zone: (0, 0) };
    let mut publisher = page.publisher.lock();
    let store = |(offset, word): Store| page.frame.store_word(offset, word);
    store(publisher.open());
    publisher.close(&contents).into_iter().for_each(store);
}
